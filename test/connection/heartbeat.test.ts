import assert from 'node:assert/strict';
import sinon from 'sinon';
import { Heartbeat } from '../../src/connection/heartbeat.ts';
import type { Lane } from '../../src/connection/lane.ts';
import { suite } from '../kit/suite.ts';

const test = suite('connection/heartbeat');
let clock: sinon.SinonFakeTimers;

test.before.each(() => {
  clock = sinon.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
});
test.after.each(() => clock.restore());

/** A lane of which only the ear and the mouth are used. */
function fakeLane(): { lane: Lane; pings: sinon.SinonSpy; lost: sinon.SinonSpy } {
  const pings = sinon.fake();
  const lost = sinon.fake();
  const lane = {
    lastHeard: performance.now(),
    sendPing: pings,
    interrupt: lost,
  } as unknown as Lane;
  return { lane, pings, lost };
}

test('a silent peer is asked, and lost after three intervals', () => {
  const { lane, pings, lost } = fakeLane();
  new Heartbeat(lane, 1000);
  clock.tick(3000);
  assert.equal(pings.callCount, 3);
  assert.equal(lost.callCount, 0);
  clock.tick(1000);
  assert.equal(lost.callCount, 1);
  assert.equal(lost.firstCall.args[0].code, 'ERR_ELSEWHERE_CONNECTION_LOST');
  assert.match(lost.firstCall.args[0].message, /nothing was heard of the peer for 4\.0 s/);
});

test('any sign of life counts, and a peer that talks is not asked', () => {
  const { lane, pings, lost } = fakeLane();
  new Heartbeat(lane, 1000);
  for (let i = 0; i < 20; i++) {
    clock.tick(900);
    lane.lastHeard = performance.now();
    clock.tick(100);
  }
  assert.deepEqual([pings.callCount, lost.callCount], [0, 0]);
});

test('our own busy event loop is no silence of the peer', () => {
  const { lane, pings, lost } = fakeLane();
  new Heartbeat(lane, 1000);
  clock.tick(1000);
  // Nothing of ours ran for a minute: the timer comes late, the peer gets its time again.
  clock.jump(60_000);
  assert.equal(lost.callCount, 0);
  clock.tick(3000);
  assert.equal(lost.callCount, 0);
  clock.tick(1000);
  assert.equal(lost.callCount, 1);
  assert.ok(pings.callCount >= 3);
});

test('a stopped heartbeat says nothing', () => {
  const { lane, pings, lost } = fakeLane();
  new Heartbeat(lane, 1000).stop();
  clock.tick(60_000);
  assert.deepEqual([pings.callCount, lost.callCount], [0, 0]);
});

test.run();

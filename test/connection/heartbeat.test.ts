import assert from 'node:assert/strict';
import sinon from 'sinon';
import { DEFAULT_HEARTBEAT, type Heart, Heartbeat } from '../../src/connection/heartbeat.ts';
import { suite } from '../kit/suite.ts';

const test = suite('connection/heartbeat');
let clock: sinon.SinonFakeTimers;

test.before.each(() => {
  clock = sinon.useFakeTimers({
    toFake: ['setInterval', 'clearInterval', 'setImmediate', 'performance', 'Date'],
  });
});
test.after.each(() => clock.restore());

interface Patient {
  heard: number | undefined;
  readonly heart: Heart;
  readonly pings: sinon.SinonSpy;
  readonly lost: sinon.SinonSpy;
}

function patient(): Patient {
  const pings = sinon.fake();
  const lost = sinon.fake();
  const self: Patient = {
    heard: 1,
    pings,
    lost,
    heart: {
      get heard() {
        return self.heard;
      },
      ping: pings,
      silent: lost,
    },
  };
  return self;
}

test('a silent peer is asked, and lost within three intervals of its last sign', () => {
  for (const offset of [0, 1, 250, 499]) {
    const peer = patient();
    new Heartbeat(peer.heart, 1000);
    clock.tick(offset);
    peer.heard = 2;
    clock.tick(2000);
    assert.ok(peer.pings.callCount >= 3);
    assert.equal(peer.lost.callCount, 0);
    // And the end of that turn.
    clock.tick(1001);
    assert.equal(peer.lost.callCount, 1, `last heard ${offset} ms behind a look`);
    assert.equal(peer.lost.firstCall.args[0].code, 'ERR_ELSEWHERE_CONNECTION_LOST');
    assert.match(peer.lost.firstCall.args[0].message, /nothing was heard of the peer for 2\.5 s/);
    clock.tick(10_000);
    assert.equal(peer.lost.callCount, 1, 'once');
  }
});

test('by default a silent peer is lost within 15 s, and within 3 s with an interval of one', () => {
  for (const [interval, most] of [
    [DEFAULT_HEARTBEAT, 15_000],
    [1000, 3000],
  ] as const) {
    const peer = patient();
    new Heartbeat(peer.heart, interval);
    clock.tick(most);
    assert.equal(peer.lost.callCount, 1);
  }
});

test('any sign of life counts, and a peer that talks is not asked', () => {
  const peer = patient();
  new Heartbeat(peer.heart, 1000);
  for (let i = 2; i < 40; i++) {
    clock.tick(400);
    peer.heard = i;
    clock.tick(100);
  }
  assert.deepEqual([peer.pings.callCount, peer.lost.callCount], [0, 0]);
});

test('our own busy event loop is no silence of the peer', () => {
  const peer = patient();
  new Heartbeat(peer.heart, 1000);
  for (let i = 0; i < 4; i++) {
    // Nothing of ours runs for half a minute; one look comes late, and the peer is asked at once.
    clock.jump(30_000);
  }
  assert.equal(peer.lost.callCount, 0);
  assert.ok(peer.pings.callCount >= 4);
});

test('what the kernel has for us is read before the peer is judged', () => {
  const peer = patient();
  new Heartbeat(peer.heart, 1000);
  clock.tick(2499);
  // The look and, before the loop is through, what lay in the socket.
  setImmediate(() => (peer.heard = 2));
  clock.tick(1);
  clock.tick(2000);
  assert.equal(peer.lost.callCount, 0);
  clock.tick(1000);
  assert.equal(peer.lost.callCount, 1);
});

test('a link that is not read is not judged', () => {
  const peer = patient();
  peer.heard = undefined;
  new Heartbeat(peer.heart, 1000);
  clock.tick(60_000);
  assert.deepEqual([peer.pings.callCount, peer.lost.callCount], [0, 0]);
});

test('after a sleep of the machine the peer is asked at once and has one interval to answer', () => {
  const peer = patient();
  new Heartbeat(peer.heart, 1000);
  clock.tick(400);
  peer.heard = 2;
  // The clock on the wall goes on, that of the timers does not.
  clock.setSystemTime(Date.now() + 3_600_000);
  clock.tick(100);
  assert.equal(peer.pings.callCount, 1);
  clock.tick(999);
  assert.equal(peer.lost.callCount, 0);
  clock.tick(2);
  assert.equal(peer.lost.callCount, 1);
});

test('after a sleep a peer that answers is kept', () => {
  const peer = patient();
  new Heartbeat(peer.heart, 1000);
  clock.setSystemTime(Date.now() + 3_600_000);
  clock.tick(500);
  peer.heard = 2;
  clock.tick(2000);
  assert.equal(peer.lost.callCount, 0);
});

test('where it matters whether a silent peer speaks again, the heartbeat goes on', () => {
  const peer = patient();
  const alive = sinon.fake();
  const heart: Heart = {
    get heard() {
      return peer.heard;
    },
    ping: peer.pings,
    silent: peer.lost,
    alive,
  };
  new Heartbeat(heart, 1000);
  for (let round = 1; round <= 3; round++) {
    clock.tick(20_000);
    assert.deepEqual([peer.lost.callCount, alive.callCount], [round, round - 1]);
    peer.heard = round + 1;
    clock.tick(500);
    assert.deepEqual([peer.lost.callCount, alive.callCount], [round, round]);
  }
});

test('a stopped heartbeat says nothing', () => {
  const peer = patient();
  const heartbeat = new Heartbeat(peer.heart, 1000);
  clock.tick(2500 - 1);
  const asked = peer.pings.callCount;
  heartbeat.stop();
  clock.tick(60_000);
  assert.deepEqual([peer.pings.callCount, peer.lost.callCount], [asked, 0]);
});

test.run();

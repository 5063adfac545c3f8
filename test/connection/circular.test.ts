/** Calls that wait for calls of the other side, more of them than may run at once. */
import assert from 'node:assert/strict';
import sinon from 'sinon';
import { STANDSTILL } from '../../src/connection/incoming-calls.ts';
import type { Peer } from '../../src/connection/peer.ts';
import { suite } from '../kit/suite.ts';
import { call, connectedPeers, type Peers } from './peers.ts';

const test = suite('connection/circular', { limit: 30_000 });
const DEPTH = 20_000;
const LIMIT = { code: 'ERR_ELSEWHERE_LIMIT', message: /without end\?/ };

/** Until nothing arrives any more. */
async function quiet({ near, far }: Peers): Promise<void> {
  let before = -1;
  for (let same = 0; same < 20; same++) {
    await new Promise((resolve) => setImmediate(resolve));
    const now = near.main.received + far.main.received;
    if (now !== before) same = 0;
    before = now;
  }
}

const timed = (name: string, body: (clock: sinon.SinonFakeTimers) => Promise<void>): void =>
  test(name, async () => {
    const clock = sinon.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    try {
      await body(clock);
    } finally {
      clock.restore();
    }
  });

/** Each side's handler calls the other side's, until `depth` is 0. */
function nesting(peers: Peers): void {
  const nest = (peer: Peer): void =>
    peer.methods.addCall('nest', async ([depth]) =>
      depth === 0 ? 0 : 1 + ((await call(peer, 'nest', (depth as number) - 1)) as number),
    );
  nest(peers.near);
  nest(peers.far);
}

timed(`${DEPTH} nested calls end with an error, and both sides go on`, async (clock) => {
  const peers = connectedPeers();
  const { near, far } = peers;
  nesting(peers);
  const chain = assert.rejects(call(near, 'nest', DEPTH), LIMIT);
  await quiet(peers);
  assert.deepEqual([near.runningCalls, far.runningCalls], [4096, 4096]);
  clock.tick(STANDSTILL);
  await chain;
  assert.deepEqual(
    [near.runningCalls, far.runningCalls, near.calls.size, far.calls.size],
    [0, 0, 0, 0],
  );
  clock.tick(STANDSTILL);
  assert.equal(clock.countTimers(), 0, 'nothing is watched any more');
  assert.equal(await call(near, 'nest', 3000), 3000);
  assert.equal(await call(far, 'nest', 3000), 3000);
  assert.deepEqual(peers.closed, []);
});

timed('20,000 calls at once that each call back, in order, are all answered', async (clock) => {
  const { near, far, farMethods } = connectedPeers();
  near.methods.addCall('back', async ([i]) => i);
  const begun: unknown[] = [];
  farMethods.addCall('call', ([i]) => {
    begun.push(i);
    return call(far, 'back', i);
  });
  farMethods.addCall('note', ([i]) => void begun.push(i));
  const wanted = Array.from({ length: 20_000 }, (_, i) => i);
  const calls = wanted.map((i) => {
    if (i % 100 !== 99) return call(near, 'call', i);
    near.notify('note', [i]);
    return i;
  });
  assert.deepEqual(await Promise.all(calls), wanted);
  assert.deepEqual(begun, wanted);
  clock.tick(STANDSTILL);
  assert.equal(clock.countTimers(), 0, 'nothing is watched any more');
});

timed('one answer that all of the running calls wait for is read', async () => {
  const { near, far, farMethods } = connectedPeers();
  near.methods.addCall('back', async () => 'shared');
  let shared: Promise<unknown> | undefined;
  farMethods.addCall('call', async () => (shared ??= call(far, 'back')));
  const calls = Array.from({ length: 10_000 }, () => call(near, 'call'));
  assert.ok((await Promise.all(calls)).every((value) => value === 'shared'));
});

timed('a lane that is not read is read again when an answer is asked for', async () => {
  const peers = connectedPeers();
  const { near, far, farMethods } = peers;
  near.methods.addCall('back', async () => 'answer');
  const go: (() => void)[] = [];
  farMethods.addCall('call', async () => {
    await new Promise<void>((resolve) => go.push(resolve));
    return call(far, 'back');
  });
  const calls = Array.from({ length: 5000 }, () => call(near, 'call'));
  await quiet(peers);
  assert.equal(far.main.paused, true);
  while (go.length > 0) {
    for (const begin of go.splice(0)) begin();
    await quiet(peers);
  }
  assert.ok((await Promise.all(calls)).every((value) => value === 'answer'));
});

timed('calls that may end by themselves are waited for, however long they take', async (clock) => {
  const peers = connectedPeers();
  const { near, far, farMethods } = peers;
  near.methods.addCall('never', () => new Promise(() => undefined));
  const finish: (() => void)[] = [];
  farMethods.addCall('slow', () => new Promise<void>((resolve) => finish.push(resolve)));
  void call(far, 'never').catch(() => undefined);
  const calls = Array.from({ length: 5000 }, () => call(near, 'slow'));
  await quiet(peers);
  assert.equal(finish.length, 4096);
  clock.tick(10 * STANDSTILL);
  const cancelled = new Promise((resolve) => {
    near.cancel(near.request('slow', [], (error) => resolve(error)));
  });
  assert.equal(
    ((await cancelled) as Error).name,
    'AbortError',
    'one that waits is cancelled at once',
  );
  while (finish.length > 0) {
    for (const end of finish.splice(0)) end();
    await quiet(peers);
  }
  await Promise.all(calls);
  near.lose(new Error('the end'));
});

timed('what waits is refused when its side stops', async () => {
  const peers = connectedPeers();
  const { near, far } = peers;
  nesting(peers);
  const chain = assert.rejects(call(near, 'nest', DEPTH), { code: 'ERR_ELSEWHERE_CLOSED' });
  await quiet(peers);
  near.stopServing();
  far.stopServing();
  await chain;
});

test.run();

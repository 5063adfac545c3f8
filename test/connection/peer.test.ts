import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import sinon from 'sinon';
import type { IncomingCall } from '../../src/connection/calls.ts';
import { suite } from '../kit/suite.ts';
import { call, connectedPeers } from './peers.ts';

const test = suite('connection/peer');

test('a call is answered, by value or by throwing', async () => {
  const { near, farMethods } = connectedPeers();
  farMethods.addCall('add', ([a, b]) => (a as number) + (b as number));
  farMethods.addCall('later', async ([value]) => value);
  farMethods.addCall('fail', () => {
    throw Object.assign(new RangeError('too far'), { code: 'E_FAR', path: '/x' });
  });
  assert.equal(await call(near, 'add', 1, 2), 3);
  assert.deepEqual(await call(near, 'later', { a: [1, undefined] }), { a: [1, undefined] });
  await assert.rejects(call(near, 'fail'), (error: RangeError & { code: string; path: string }) => {
    assert.ok(error instanceof RangeError);
    assert.deepEqual([error.message, error.code, error.path], ['too far', 'E_FAR', '/x']);
    return true;
  });
});

test('an operation that is not offered is refused, and the connection goes on', async () => {
  const { near, farMethods } = connectedPeers();
  for (const name of ['constructor', '__proto__', 'toString', 'fs.stat']) {
    await assert.rejects(call(near, name), { code: 'ERR_ELSEWHERE_NO_METHOD' });
  }
  farMethods.addCall('ok', () => 1);
  assert.equal(await call(near, 'ok'), 1);
});

test('all calls of a tick travel in one packet, and their answers in one', async () => {
  const { near, far, farMethods } = connectedPeers();
  farMethods.addCall('echo', ([value]) => value);
  await call(near, 'echo', 0);
  const before = [near.main.sent, far.main.sent];
  await Promise.all(Array.from({ length: 100 }, (_, i) => call(near, 'echo', i)));
  assert.deepEqual([near.main.sent, far.main.sent], [(before[0] ?? 0) + 1, (before[1] ?? 0) + 1]);
});

test('calls that come of answers in turns of their own leave together once in a turn', async () => {
  const { near, farMethods } = connectedPeers();
  farMethods.addCall('echo', ([value]) => value);
  const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
  const lane = async (i: number): Promise<void> => {
    for (let step = 0; step < 3; step++) {
      await call(near, 'echo', i);
      await turn();
    }
  };
  await call(near, 'echo', 0);
  const before = near.main.sent;
  await Promise.all(Array.from({ length: 100 }, (_, i) => lane(i)));
  assert.ok(near.main.sent - before <= 6, `${near.main.sent - before} packets for 3 steps`);
  // A single call afterwards leaves with its own tick again.
  for (let i = 0; i < 4; i++) await turn();
  const sent = near.main.sent;
  const answer = call(near, 'echo', 2);
  await new Promise<void>((resolve) => process.nextTick(resolve));
  assert.equal(near.main.sent, sent + 1);
  await answer;
});

test('arguments are what they were at the call, even if they change in the same tick', async () => {
  const { near, farMethods } = connectedPeers();
  farMethods.addCall('echo', ([value]) => value);
  const list = [1];
  const answer = call(near, 'echo', list);
  list.push(2);
  assert.deepEqual(await answer, [1]);
});

test('a value that cannot travel fails its own call only', async () => {
  const { near, farMethods } = connectedPeers();
  farMethods.addCall('echo', ([value]) => value);
  farMethods.addCall('bad', () => () => 1);
  assert.throws(() => near.request('echo', [() => 1], () => undefined), TypeError);
  await assert.rejects(call(near, 'bad'), TypeError);
  assert.equal(await call(near, 'echo', 7), 7);
  assert.equal(near.calls.size, 0);
});

test('large byte arrays travel beside the calls, both ways, and do not hold them up', async () => {
  const { near, farMethods } = connectedPeers();
  farMethods.addCall('echo', ([value]) => value);
  const large = Buffer.alloc(5_000_000, 'abc');
  const order: string[] = [];
  const big = call(near, 'echo', large).then((value) => {
    order.push('large');
    assert.ok(large.equals(value as Buffer));
  });
  const small = call(near, 'echo', 1).then(() => order.push('small'));
  await Promise.all([big, small]);
  assert.deepEqual(order, ['small', 'large']);
});

test('cancel reaches the handler', async () => {
  const { near, farMethods } = connectedPeers();
  const cancelled = sinon.fake((error: Error) => error);
  farMethods.addCall('wait', (_args, incoming) => {
    const { signal } = incoming as IncomingCall;
    return new Promise((_resolve, reject) =>
      signal.addEventListener('abort', () => reject(cancelled(new Error('stopped')))),
    );
  });
  const failed = new Promise((resolve) => {
    const id = near.request('wait', [], resolve);
    setImmediate(() => near.cancel(id));
  });
  assert.match(String(await failed), /stopped/);
  assert.equal(cancelled.callCount, 1);
});

test('loss fails what is pending and tells whether it may have been carried out', async () => {
  const { near, farMethods } = connectedPeers();
  farMethods.addCall('never', () => new Promise(() => undefined));
  const sent = call(near, 'never');
  await sleep(20);
  const unsent = call(near, 'never');
  near.main.destroy(new Error('cable cut'));
  await assert.rejects(sent, { code: 'ERR_ELSEWHERE_CONNECTION_LOST', maybeExecuted: true });
  await assert.rejects(unsent, { code: 'ERR_ELSEWHERE_CONNECTION_LOST', maybeExecuted: false });
  await assert.rejects(call(near, 'never'), { code: 'ERR_ELSEWHERE_CLOSED', maybeExecuted: false });
});

test('an exception of a callback does not harm the link', async () => {
  const { near, farMethods } = connectedPeers();
  farMethods.addCall('echo', ([value]) => value);
  const uncaught = new Promise((resolve) => process.once('uncaughtException', resolve));
  near.request('echo', [1], () => {
    throw new Error('mine');
  });
  assert.match(String(await uncaught), /mine/);
  assert.equal(await call(near, 'echo', 2), 2);
});

test('an answer to a call that was not made closes the link', async () => {
  const { near, far, closed } = connectedPeers();
  far.main.post([2, 12345, 'surprise']);
  while (closed.length === 0) await sleep(1);
  assert.equal((closed[0] as { code?: string } | undefined)?.code, 'ERR_ELSEWHERE_PROTOCOL');
  assert.ok(near.lost);
});

test.run();

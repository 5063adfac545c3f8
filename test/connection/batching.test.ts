import assert from 'node:assert/strict';
import type { IncomingCall } from '../../src/connection/calls.ts';
import { Lane } from '../../src/connection/lane.ts';
import { memoryPair } from '../../src/transport/memory.ts';
import type { Transport } from '../../src/transport/transport.ts';
import { decodeFrames, PendingFrame } from '../../src/wire/codec.ts';
import { Kind, Limit, Op } from '../../src/wire/message.ts';
import { suite } from '../kit/suite.ts';
import { laps } from '../transport/recorder.ts';
import { call, connectedPeers, type Peers } from './peers.ts';

const test = suite('connection/batching');

interface Sent {
  readonly kind: number;
  readonly body: Buffer;
}

/** What leaves by this transport from now on. */
function tap(transport: Transport | undefined): Sent[] {
  assert.ok(transport !== undefined);
  const sent: Sent[] = [];
  const { send } = transport;
  transport.send = (kind, head, tail) => {
    sent.push({ kind, body: Buffer.concat([head, tail ?? Buffer.alloc(0)]) });
    return send.call(transport, kind, head, tail);
  };
  return sent;
}

const kinds = (sent: readonly Sent[]): number[] => sent.map(({ kind }) => kind);

function frames(sent: readonly Sent[]): unknown[][] {
  return sent
    .filter(({ kind }) => kind === Kind.RPC)
    .flatMap(({ body }) => decodeFrames(Buffer.from(body)))
    .map((frame) => (frame instanceof PendingFrame ? frame.head : frame));
}

test('a call is one packet each way, also when it carries a byte array of 64 KiB', async () => {
  const { near, far, farMethods } = connectedPeers();
  farMethods.addCall('echo', ([value]) => value);
  const [out, back] = [tap(near.main.transport), tap(far.main.transport)];
  await call(near, 'echo', Buffer.alloc(Limit.INLINE_BYTES));
  const data = [...kinds(out), ...kinds(back)].filter((kind) => kind !== Kind.ACK);
  assert.deepEqual(data, [Kind.RPC, Kind.RPC]);
});

test('a name of a method travels once in each direction', async () => {
  const { near, far, farMethods } = connectedPeers();
  farMethods.addCall('one', () => 1);
  farMethods.addCall('two', () => 2);
  const out = tap(near.main.transport);
  await Promise.all([call(near, 'one'), call(near, 'one'), call(near, 'two')]);
  await Promise.all([call(near, 'two'), call(near, 'one')]);
  near.notify('two', []);
  await laps(3);
  assert.deepEqual(
    frames(out).map((frame) => frame[frame[0] === Op.NOTIFY ? 1 : 2]),
    ['one', 0, 'two', 1, 0, 1],
  );
  near.methods.addCall('one', () => 'near');
  assert.equal(await call(far, 'one'), 'near');
});

test('a call whose arguments cannot travel does not count its name', async () => {
  const { near, farMethods } = connectedPeers();
  farMethods.addCall('fine', () => 'fine');
  farMethods.addCall('first', () => 'first');
  assert.throws(() => near.request('first', [() => 1], () => undefined), TypeError);
  assert.equal(await call(near, 'fine'), 'fine');
  assert.equal(await call(near, 'first'), 'first');
  assert.equal(await call(near, 'fine'), 'fine');
});

test('many calls of one tick are as few packets as their size allows', async () => {
  const { near, farMethods } = connectedPeers();
  farMethods.addCall('size', ([value]) => (value as Buffer).length);
  const out = tap(near.main.transport);
  const sizes = await Promise.all(
    Array.from({ length: 600 }, () => call(near, 'size', Buffer.alloc(10))),
  );
  assert.deepEqual(sizes, new Array(600).fill(10));
  assert.equal(kinds(out).length, 3, '256 calls a packet');
});

test('calls of one tick with many values each are not too many together', async () => {
  const { near, closed, farMethods } = connectedPeers();
  farMethods.addCall('length', ([value]) => (value as unknown[]).length);
  const values = new Array(150_000).fill(1);
  const lengths = await Promise.all([1, 2, 3].map(() => call(near, 'length', values)));
  assert.deepEqual(lengths, [150_000, 150_000, 150_000]);
  assert.deepEqual(closed, []);
});

test('a call that is too large fails alone and leaves nothing of itself on the link', async () => {
  const { near, closed, farMethods } = connectedPeers();
  farMethods.addCall('echo', ([value]) => value);
  farMethods.addCall('huge', () => [Buffer.alloc(100_000), new Array(4_300_000).fill(1)]);
  const out = tap(near.main.transport);
  const huge = [Buffer.alloc(100_000), new Array(4_300_000).fill(1)];
  assert.throws(() => near.request('echo', huge, () => undefined), { code: 'ERR_ELSEWHERE_LIMIT' });
  await assert.rejects(call(near, 'huge'), { code: 'ERR_ELSEWHERE_LIMIT' });
  assert.equal(await call(near, 'echo', 1), 1);
  assert.deepEqual(kinds(out), [Kind.RPC, Kind.RPC]);
  assert.deepEqual(closed, []);
});

test('small calls are not held up by large arguments that were posted before them', async () => {
  const { near, farMethods } = connectedPeers();
  farMethods.addCall('echo', ([value]) => value);
  const out = tap(near.main.transport);
  const large = call(near, 'echo', Buffer.alloc(8 << 20));
  await new Promise<void>((resolve) => process.nextTick(resolve));
  const small = call(near, 'echo', 'small');
  await Promise.all([large, small]);
  const order = kinds(out);
  assert.deepEqual(order[0], Kind.RPC);
  // What may be under way before anything is known of the link: 256 KB, in pieces of 64.
  assert.equal(order.lastIndexOf(Kind.RPC), 1 + 4);
});

test('5,000 large arguments may be on their way at once', async () => {
  const { near, farMethods } = connectedPeers();
  farMethods.addCall('size', ([value]) => (value as Buffer).length);
  const bytes = Buffer.alloc(Limit.INLINE_BYTES + 1);
  const sizes = await Promise.all(Array.from({ length: 5000 }, () => call(near, 'size', bytes)));
  assert.ok(sizes.every((size) => size === bytes.length));
});

test('with 4,096 calls running no more are read until one is done', async () => {
  const { near, far, farMethods } = connectedPeers();
  const finish: (() => void)[] = [];
  farMethods.addCall('wait', () => new Promise<void>((resolve) => finish.push(resolve)));
  const calls = Array.from({ length: 4096 }, () => call(near, 'wait'));
  await laps(5);
  assert.equal(far.runningCalls, 4096);
  calls.push(call(near, 'wait'));
  await laps(5);
  assert.equal(far.runningCalls, 4096);
  finish.shift()?.();
  await laps(5);
  assert.equal(finish.length, 4096);
  for (const each of finish) each();
  await Promise.all(calls);
});

test('a thrown null is not a success', async () => {
  const { near, farMethods } = connectedPeers();
  farMethods.addCall('null', () => Promise.reject(null));
  await assert.rejects(call(near, 'null'), /threw null/);
});

test('a handler that asks late for its signal finds it aborted', async () => {
  const { near, farMethods } = connectedPeers();
  let incoming: IncomingCall | undefined;
  farMethods.addCall('wait', (_args, its) => {
    incoming = its;
    return new Promise(() => undefined);
  });
  const id = near.request('wait', [], () => undefined);
  await laps(3);
  near.cancel(id);
  await laps(3);
  assert.equal(incoming?.signal.aborted, true);
});

/** A second link of the same session to the far peer, from a lane that only sends. */
function syncLane({ far }: Peers): { lane: Lane; errors: unknown[]; answers: unknown[][] } {
  const [near, there] = memoryPair();
  new Lane('sync', far).attach(there, 0);
  const errors: unknown[] = [];
  const answers: unknown[][] = [];
  const nothing = (): void => undefined;
  const lane = new Lane('sync', {
    frame: (_lane, frame) => answers.push(frame),
    announced: nothing,
    data: nothing,
    credit: nothing,
    end: nothing,
    reset: nothing,
    goAway: nothing,
    advanced: nothing,
    drained: nothing,
    down: (_lane, error) => errors.push(error),
    newStreamId: () => 1,
  });
  lane.attach(near, 0);
  return { lane, errors, answers };
}

const WAYS: readonly [string, (peers: Peers) => void][] = [
  ['a call', ({ near }) => near.request('noop', [], () => undefined)],
  ['a notification', ({ near }) => near.notify('noop', [])],
  ['stream data', ({ near }) => near.main.sendData(1, Buffer.from('data'))],
  ['credit', ({ near }) => near.main.sendCredit(1, 0)],
  ['the end of a stream', ({ near }) => near.main.sendEnd(1)],
  ['a reset', ({ near }) => near.main.sendReset(1, 'ECONNRESET')],
];

for (const [what, send] of WAYS) {
  test(`a blocking call waits for ${what} that was sent before it`, async () => {
    const peers = connectedPeers();
    const { near, far, farMethods } = peers;
    farMethods.addCall('noop', () => null);
    farMethods.addCall('count', () => far.main.received);
    farMethods.addStream('tube', (stream) => {
      stream.accept({ data: () => undefined, end: () => undefined, closed: () => undefined });
    });
    near.open('tube', [], { data: () => undefined, end: () => undefined, closed: () => undefined });
    await laps(3);
    const { lane, errors, answers } = syncLane(peers);
    const behind = near.main.sent + 1;
    lane.postMethod([Op.NOTIFY], 'session.barrier', [behind]);
    lane.postMethod([Op.CALL, 0], 'count', []);
    await laps(5);
    assert.deepEqual(answers, [], 'held back');
    send(peers);
    await laps(5);
    assert.deepEqual(answers, [[Op.RETURN, 0, behind]]);
    assert.deepEqual(errors, []);
  });
}

test('a barrier for what has arrived already holds nothing back', async () => {
  const peers = connectedPeers();
  peers.farMethods.addCall('noop', () => null);
  await call(peers.near, 'noop');
  const { lane, answers } = syncLane(peers);
  lane.postMethod([Op.NOTIFY], 'session.barrier', [peers.near.main.sent]);
  lane.postMethod([Op.CALL, 0], 'noop', []);
  await laps(5);
  assert.deepEqual(answers, [[Op.RETURN, 0, null]]);
});

test.run();

import assert from 'node:assert/strict';
import type { ByteStream, StreamHandler } from '../../src/connection/channel.ts';
import type { Lane } from '../../src/connection/lane.ts';
import type { Peer } from '../../src/connection/peer.ts';
import { StreamTable } from '../../src/connection/stream-table.ts';
import { Limit, Op } from '../../src/wire/message.ts';
import { suite } from '../kit/suite.ts';
import { laps } from '../transport/recorder.ts';
import { connectedPeers, type Peers } from './peers.ts';

const test = suite('connection/stream-order');

function log(events: unknown[]): StreamHandler {
  return {
    data: (bytes) => events.push(bytes.length),
    signal: (value) => events.push(value),
    end: () => events.push('end'),
    closed: (error) =>
      events.push(`closed ${(error as { code?: string } | undefined)?.code ?? ''}`),
  };
}

async function tube(
  peers: Peers,
): Promise<{ near: ByteStream; far: ByteStream; farLog: unknown[] }> {
  const farLog: unknown[] = [];
  let far: ByteStream | undefined;
  peers.farMethods.addStream('tube', (stream) => {
    far = stream;
    stream.accept(log(farLog));
  });
  const near = peers.near.open('tube', [], log([]));
  await laps(3);
  return { near, far: far as ByteStream, farLog };
}

const codes = ({ closed }: Peers): unknown[] =>
  closed.map((error) => (error as { code?: string }).code).filter(Boolean);

test('a signal after end is not sent, also when the end still waits for credit', async () => {
  const peers = connectedPeers();
  const { near, far, farLog } = await tube(peers);
  far.pause();
  near.write(Buffer.alloc(2 * Limit.STREAM_WINDOW));
  near.end();
  near.signal('too late');
  await laps(20);
  far.resume();
  await laps(40);
  assert.equal(farLog.at(-1), 'end');
  assert.deepEqual(peers.closed, []);
});

test('a signal that cannot travel throws at once and harms nothing', async () => {
  const peers = connectedPeers();
  const { near, farLog } = await tube(peers);
  assert.throws(() => near.signal(() => 1), TypeError);
  near.signal('fine');
  await laps(5);
  assert.deepEqual(farLog, ['fine']);
});

test('one that waits behind bytes surfaces as an exception of its own', async () => {
  const peers = connectedPeers();
  const { near, far, farLog } = await tube(peers);
  far.pause();
  near.write(Buffer.alloc(Limit.STREAM_WINDOW + 1));
  near.signal(() => 1);
  near.signal('fine');
  await laps(20);
  const uncaught = new Promise((resolve) => process.once('uncaughtException', resolve));
  far.resume();
  assert.match(String(await uncaught), /a function cannot travel/);
  await laps(20);
  assert.equal(farLog.at(-1), 'fine');
  assert.deepEqual(peers.closed, []);
});

for (const [what, send] of [
  ['data', ({ near }: Peers, id: number) => near.main.sendData(id, Buffer.of(1))],
  ['an end', ({ near }: Peers, id: number) => near.main.sendEnd(id)],
  ['a signal', ({ near }: Peers, id: number) => near.main.post([Op.SIGNAL, id, 1])],
] as const) {
  test(`${what} behind the end cuts the peer off, also while the end is not read yet`, async () => {
    const peers = connectedPeers();
    const { near, far, farLog } = await tube(peers);
    far.pause();
    peers.near.main.sendEnd(near.id);
    send(peers, near.id);
    await laps(10);
    assert.deepEqual(codes(peers), ['ERR_ELSEWHERE_PROTOCOL']);
    assert.deepEqual(farLog, ['closed ERR_ELSEWHERE_PROTOCOL']);
  });
}

for (const [what, send] of [
  ['data for a stream that never was', (near) => near.main.sendData(99, Buffer.of(1))],
  ['a stream packet without a stream', (near) => near.main.sendReset(98, '')],
  ['credit beyond the largest window', (near) => near.main.sendCredit(1, Limit.LARGEST_WINDOW)],
  [
    'a stream with an id of the other side',
    (near) => near.main.postMethod([Op.OPEN, 2], 'tube', []),
  ],
  ['a stream with an id that was used', (near) => near.main.postMethod([Op.OPEN, 1], 'tube', [])],
  ['arguments that are no list', (near) => near.main.post([Op.CALL, 0, 'tube', 1])],
  ['a method number that was never given', (near) => near.main.post([Op.CALL, 0, 77, []])],
  ['a barrier on the main lane', (near) => near.notify('session.barrier', [1])],
  [
    'data over the limit of a packet',
    (near) => near.main.sendData(1, Buffer.alloc(Limit.DATA + 1)),
  ],
] as readonly (readonly [string, (near: Peer) => void])[]) {
  test(`a peer that sends ${what} is cut off`, async () => {
    const peers = connectedPeers();
    await tube(peers);
    send(peers.near);
    await laps(10);
    assert.deepEqual(codes(peers), ['ERR_ELSEWHERE_PROTOCOL']);
  });
}

test('late packets for a stream that has just ended are no fault', async () => {
  const peers = connectedPeers();
  const { near, far } = await tube(peers);
  far.reset('ECONNRESET');
  near.write(Buffer.alloc(1000));
  near.signal(1);
  near.end();
  await laps(10);
  assert.deepEqual(peers.closed, []);
  assert.deepEqual([peers.near.streams.size, peers.far.streams.size], [0, 0]);
});

test('half-closed: one direction goes on after the other has ended', async () => {
  const peers = connectedPeers();
  const nearLog: unknown[] = [];
  peers.farMethods.addStream('late', (stream) => {
    stream.accept({
      data: () => undefined,
      end: () => {
        stream.write(Buffer.alloc(5));
        stream.end();
      },
      closed: () => undefined,
    });
  });
  peers.near.open('late', [], log(nearLog)).end();
  await laps(10);
  assert.deepEqual(nearLog, [5, 'end', 'closed ']);
});

test('streams that have much to send take turns at a lane that takes little', () => {
  let room = 0;
  const turns: number[] = [];
  const lane = {
    get writable() {
      return room > 0;
    },
    pace: { chunk: 65_536 },
    sendData: (id: number) => {
      room--;
      turns.push(id);
    },
  } as unknown as Lane;
  const streams = new StreamTable(1, lane);
  for (const id of [1, 3, 5]) streams.create(id, log([])).write(Buffer.alloc(Limit.DATA));
  for (let round = 0; round < 6; round++) {
    room = 1;
    streams.pump();
  }
  assert.deepEqual(turns, [1, 3, 5, 1, 3, 5]);
});

test.run();

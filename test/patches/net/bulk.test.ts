// Much through a remote socket: every byte arrives although memory is used again and again, and little of it is fresh.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import net, { type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { FarReading } from '../../../patches/net/far-reading.ts';
import { ownCopies } from '../../../patches/net/own-write.ts';
import { lendRoomUntilSent, sent } from '../../../src/base/spare-memory.ts';
import { type Connection, connect, withRemote } from '../../../src/index.ts';
import { startAgent, type TestAgent } from '../../kit/agent.ts';
import { suite } from '../../kit/suite.ts';

const test = suite('patches/net bulk', { limit: 30_000 });
const MB = 1024 * 1024;
let agent: TestAgent;
let conn: Connection;
let server: net.Server;
let port: number;

test.before(async () => {
  agent = await startAgent({ listen: 'tcp://127.0.0.1:0' });
  conn = await connect(agent.url);
  server = net.createServer((socket) => socket.on('error', () => undefined).pipe(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as AddressInfo).port;
});
test.after(async () => {
  server.close();
  await conn.close();
  await agent.stop();
});

const dial = (): Socket => withRemote(conn, () => net.connect({ host: '127.0.0.1', port }));

/** Sends so many bytes of noise, in writes of all sizes whose memory changes once they are done, and reads them back. */
async function echoed(bytes: number, pauses: boolean): Promise<void> {
  const socket = dial();
  const [out, back] = [createHash('sha1'), createHash('sha1')];
  const noise = randomBytes(700_000);
  let received = 0;
  socket.on('data', (chunk) => {
    back.update(chunk);
    received += chunk.length;
    if (!pauses || received % 7 !== 0) return;
    socket.pause();
    setTimeout(() => socket.resume(), 5);
  });
  const sizes = [1, 70_000, 16_384, 262_144, 65_536, 5, 600_000, 40_000];
  let i = 0;
  for (let left = bytes; left > 0; i++) {
    const from = (i * 7919) % 90_000;
    const size = Math.min(left, sizes[i % sizes.length] as number);
    const piece = Buffer.from(noise.subarray(from, from + size));
    out.update(piece);
    left -= size;
    const room = socket.write(piece, () => piece.fill(0));
    if (!room) await once(socket, 'drain');
  }
  socket.end();
  await once(socket, 'end');
  assert.equal(received, bytes);
  assert.equal(back.digest('hex'), out.digest('hex'));
}

test('sockets side by side bring back every byte, read at once or slowly', async () => {
  await Promise.all([echoed(6 * MB, false), echoed(2 * MB, true), echoed(2 * MB, false)]);
});

test('text, bytes and both at once are written and counted as Node does', async () => {
  const socket = dial();
  let text = '';
  socket.setEncoding('utf8').on('data', (part: string) => (text += part));
  await once(socket, 'connect');
  socket.cork();
  socket.write('grün ');
  socket.write(Buffer.from('und '));
  socket.write('e9', 'latin1');
  socket.uncork();
  socket.write('00e900', 'hex');
  socket.write('é', 'ucs2');
  await new Promise<void>((resolve) => socket.end(() => resolve()));
  await once(socket, 'end');
  assert.equal(text, 'grün und e9\0\ufffd\0\ufffd\0');
  assert.equal(socket.bytesWritten, 6 + 4 + 2 + 3 + 2);
});

test('a dialled socket, its options, a byte each way and its end are three packets each way', async () => {
  const count = (): [number, number] => [conn.stats().packetsSent, conn.stats().packetsReceived];
  while (conn.stats().streams > 0) await sleep(5);
  const before = count();
  const socket = withRemote(conn, () => net.connect({ host: '127.0.0.1', port, noDelay: true }));
  await once(socket, 'connect');
  socket.write('e');
  await once(socket, 'data');
  socket.setNoDelay(true);
  socket.destroy();
  while (conn.stats().streams > 0) await sleep(5);
  const after = count();
  assert.deepEqual([after[0] - before[0], after[1] - before[1]], [3, 3]);
});

/** Pages of memory that a process was given so far. */
const faults = (pid: number): number =>
  Number(readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ')[7]);

test('the agent passes much on in memory that it has already', async () => {
  if (process.platform !== 'linux') return;
  const pid = agent.process.pid ?? 0;
  await echoed(12 * MB, false);
  const before = faults(pid);
  await echoed(12 * MB, false);
  const pages = faults(pid) - before;
  // 24 MB went through; each in fresh memory would be 6144 pages, and it was read, assembled and read again.
  assert.ok(pages < 3000, `${pages} pages`);
});

test('a far socket that brings much reads into blocks that come back when they are sent', () => {
  const came: Uint8Array[] = [];
  const reading = new FarReading((bytes) => came.push(bytes));
  const fill = (bytes: number): Uint8Array => {
    const room = reading.room();
    room.fill(bytes % 251, 0, bytes);
    reading.filled(bytes, room);
    return room;
  };
  const shared = fill(100);
  assert.equal(fill(shared.length), shared, 'little shares its memory with others');
  assert.ok(came.every(({ buffer }) => buffer !== shared.buffer));
  const blocks = new Set<ArrayBufferLike>();
  for (let i = 0; i < 20; i++) {
    const room = fill(200_000 + i);
    assert.notEqual(room, shared);
    blocks.add(room.buffer);
    const last = came.at(-1) as Uint8Array;
    assert.equal(last.buffer, room.buffer, 'and leaves as it is');
    assert.equal(last.length, 200_000 + i);
    sent(last);
  }
  assert.ok(blocks.size <= 2, `${blocks.size} blocks`);
  fill(10);
  assert.equal(reading.room(), shared);
  assert.deepEqual(
    came.map((bytes) => bytes.every((byte) => byte === bytes.length % 251)),
    came.map((_, i) => i < 2 || i > 21),
    'blocks that came back were filled again, copies were not',
  );
});

test('what is written is copied into few pieces', () => {
  const buffers = [
    Buffer.alloc(5, 1),
    Buffer.alloc(0),
    Buffer.alloc(300_000, 2),
    Buffer.alloc(7, 3),
  ];
  const pieces = ownCopies(buffers);
  assert.deepEqual(
    pieces.map(({ length }) => length),
    [262_144, 300_012 - 262_144],
  );
  assert.ok(Buffer.concat(pieces).equals(Buffer.concat(buffers)));
  const memory = (pieces[0] as Uint8Array).buffer;
  sent(pieces[0] as Uint8Array);
  assert.equal(lendRoomUntilSent(262_144).buffer, memory);
  assert.deepEqual(ownCopies([]), []);
});

test('an end or a failure leaves memory that is lent to nobody else', async () => {
  const socket = dial();
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.write(Buffer.alloc(3 * MB, 5));
  await sleep(20);
  socket.resetAndDestroy();
  await echoed(4 * MB, false);
});

test.run();

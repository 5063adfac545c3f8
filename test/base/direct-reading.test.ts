import assert from 'node:assert/strict';
import { once } from 'node:events';
import net, { type AddressInfo, type Socket } from 'node:net';
import { readInto } from '../../src/base/direct-reading.ts';
import { suite } from '../kit/suite.ts';

const test = suite('base/direct-reading');

async function pair(): Promise<{ dialled: Socket; accepted: Socket; close: () => void }> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepting = once(server, 'connection');
  const dialled = net.connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [accepted] = (await accepting) as [Socket];
  const close = (): void => {
    dialled.destroy();
    accepted.destroy();
    server.close();
  };
  return { dialled, accepted, close };
}

test('an accepted socket reads where it is told, and its end comes as ever', async () => {
  if (process.platform === 'win32') return;
  const { dialled, accepted, close } = await pair();
  const rooms = [Buffer.alloc(4), Buffer.alloc(8)];
  let at = 0;
  const got: string[] = [];
  const asked: number[] = [];
  const isTaken = readInto(accepted, {
    room: () => {
      const room = rooms[at++ % 2] as Buffer;
      asked.push(room.length);
      return room;
    },
    filled: (bytes, room) => void got.push(`${room.length}: ${room.subarray(0, bytes)}`),
  });
  assert.ok(isTaken);
  accepted.on('data', () => got.push('data'));
  dialled.end('0123456789abcdefghij');
  await once(accepted, 'end');
  assert.deepEqual(got, ['4: 0123', '8: 456789ab', '4: cdef', '8: ghij']);
  assert.deepEqual(asked.slice(0, 4), [4, 8, 4, 8]);
  close();
});

test('a socket without a handle asks for room when it has one; pause and resume hold', async () => {
  if (process.platform === 'win32') return;
  const { dialled, accepted, close } = await pair();
  const server = net.createServer((socket) => socket.write('x'.repeat(100))).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = new net.Socket();
  const room = Buffer.alloc(10);
  let came = 0;
  let told = (): void => undefined;
  const paused = new Promise<void>((resolve) => (told = resolve));
  assert.ok(
    readInto(socket, {
      room: () => room,
      filled: (bytes) => {
        came += bytes;
        if (came !== 30) return;
        socket.pause();
        told();
      },
    }),
  );
  socket.on('data', () => assert.fail('nothing comes this way'));
  socket.connect((server.address() as AddressInfo).port, '127.0.0.1');
  await paused;
  // Whatever else the loop has to do comes first.
  accepted.write('a');
  await once(dialled, 'data');
  assert.equal(came, 30);
  socket.resume();
  while (came < 100) await new Promise(setImmediate);
  socket.destroy();
  server.close();
  close();
});

test.run();

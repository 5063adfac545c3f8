// What the near half sends and when, its far side played by the test.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { suite } from '../../kit/suite.ts';
import { type Played, type PlayedStream, playFarSide } from './recorded-target.ts';

const test = suite('patches/net link');

let far: Played;

test.before.each(() => {
  far = playFarSide();
});
test.after.each(() => far.uninstall());

const address = { host: '192.0.2.7', port: 80 };

/** The socket and its stream, the connect just sent. */
async function dialled(
  options: net.SocketConstructorOpts = {},
): Promise<[net.Socket, PlayedStream]> {
  const socket = new net.Socket(options);
  socket.on('error', () => undefined);
  socket.connect(address);
  await turn();
  return [socket, streamOf()];
}

async function connected(options?: net.SocketConstructorOpts): Promise<[net.Socket, PlayedStream]> {
  const [socket, stream] = await dialled(options);
  stream.connected();
  await once(socket, 'connect');
  return [socket, stream];
}

function streamOf(index = 0): PlayedStream {
  const stream = far.streams[index];
  assert.ok(stream !== undefined, 'nothing was dialled');
  return stream;
}

test('sends the first write with the request to connect, and only once', async () => {
  const socket = net.connect(address);
  const written = new Promise((resolve) => socket.write('GET /', resolve));
  socket.write(' second');
  await turn();
  const stream = streamOf();
  assert.deepEqual(stream.dial, { address: '192.0.2.7', port: 80 });
  assert.deepEqual(stream.sent, ['write GET /']);
  stream.connected();
  await written;
  await turn();
  assert.equal(stream.sent.join('').replaceAll('write ', ''), 'GET / second');
  assert.equal(socket.bytesWritten, 12);
  socket.destroy();
});

test('sends strings in their encoding, and cork as one', async () => {
  const socket = net.connect(address);
  socket.write('ff00', 'hex');
  socket.cork();
  socket.write('é', 'latin1');
  socket.write(Buffer.from('x'));
  socket.uncork();
  await turn();
  const stream = streamOf();
  stream.connected();
  await once(socket, 'connect');
  await turn();
  assert.equal(stream.sent.length, 2);
  assert.equal(stream.sent[1], `write ${Buffer.from([0xe9, 0x78])}`);
  socket.destroy();
});

test('sends nothing ahead to one of several addresses', async () => {
  const lookup = ((_host: string, _options: object, done: (error: null, found: object[]) => void) =>
    done(null, [
      { address: '192.0.2.1', family: 4 },
      { address: '192.0.2.2', family: 4 },
    ])) as unknown as net.LookupFunction;
  const socket = net.connect({ host: 'x', port: 1, lookup, autoSelectFamily: true });
  socket.write('once');
  await turn();
  streamOf(0).tell({ kind: 'failed', code: 'ECONNREFUSED', syscall: 'connect' });
  await turn();
  streamOf(1).connected();
  await once(socket, 'connect');
  await turn();
  assert.deepEqual(streamOf(0).sent, ['end']);
  assert.deepEqual(streamOf(1).sent, ['write once']);
  socket.destroy();
});

test('waits longer for an attempt than the way to the far side takes', async () => {
  const lookup = ((_host: string, _options: object, done: (error: null, found: object[]) => void) =>
    done(null, [
      { address: '192.0.2.1', family: 4 },
      { address: '192.0.2.2', family: 4 },
    ])) as unknown as net.LookupFunction;
  const socket = net.connect({
    host: 'x',
    port: 1,
    lookup,
    autoSelectFamily: true,
    autoSelectFamilyAttemptTimeout: 10,
  });
  let timeouts = 0;
  socket.on('connectionAttemptTimeout', () => timeouts++);
  await sleep(100);
  streamOf(0).connected();
  await once(socket, 'connect');
  assert.equal(timeouts, 0);
  socket.destroy();
});

test('gives one event at a time, with all that follows from it, before the next', async () => {
  const [socket, stream] = await dialled();
  const order: string[] = [];
  const following = async (): Promise<void> => {
    await once(socket, 'connect');
    order.push('awaited connect');
    await Promise.resolve();
    socket.on('data', (data) => order.push(`data ${data}`));
    socket.on('end', () => order.push('end'));
  };
  const done = following();
  stream.connected();
  stream.deliver('same packet');
  stream.tell({ kind: 'eof' });
  await done;
  await once(socket, 'end');
  assert.deepEqual(order, ['awaited connect', 'data same packet', 'end']);
});

test('takes a write as done while there is room, and completes it later when there is none', async () => {
  const [socket, stream] = await connected();
  let done = 0;
  socket.write('a', () => done++);
  await turn();
  assert.equal(done, 1);
  stream.room = false;
  stream.buffered = 7;
  socket.write('b', () => done++);
  await turn();
  assert.equal(done, 1);
  assert.equal(socket.writableLength, 1);
  stream.leave();
  await turn();
  assert.equal(done, 2);
  socket.destroy();
});

test('keeps what it writes safe from what the program does with its buffer', async () => {
  const [socket, stream] = await connected();
  const buffer = Buffer.from('safe');
  const { write } = stream;
  let kept: Uint8Array | undefined;
  stream.write = (bytes, done) => {
    kept = bytes;
    return write.call(stream, bytes, done);
  };
  socket.write(buffer);
  buffer.fill('x');
  assert.equal(String(kept && Buffer.from(kept)), 'safe');
  socket.destroy();
});

test('makes the far side wait for a slow reader, and hear of it again', async () => {
  const [socket, stream] = await connected();
  socket.pause();
  for (let n = 0; n < 6; n++) stream.deliver(Buffer.alloc(64 * 1024));
  await turn();
  assert.equal(stream.paused, true);
  socket.resume();
  await sleep(20);
  assert.equal(stream.paused, false);
  assert.equal(socket.bytesRead, 6 * 64 * 1024);
  socket.destroy();
});

test('closes after what was written, resets when it is left with more than there was room for', async () => {
  const [first, stream] = await connected();
  first.write('last words');
  first.destroy();
  assert.deepEqual(stream.sent, ['write last words', 'end']);
  const second = new net.Socket().on('error', () => undefined).connect(address);
  await turn();
  const other = streamOf(1);
  other.connected();
  await once(second, 'connect');
  other.room = false;
  const lost = new Promise((resolve) => second.write('too much', resolve));
  second.destroy();
  assert.deepEqual(other.sent, ['write too much', 'reset ECANCELED']);
  await lost;
});

test('is not finished before the far side says that it has sent everything', async () => {
  const [socket, stream] = await connected({ allowHalfOpen: true });
  let finished = false;
  socket.end('all', () => {
    finished = true;
  });
  await sleep(10);
  assert.deepEqual(stream.sent, ['write all', 'signal shutdown']);
  assert.equal(finished, false);
  stream.tell({ kind: 'shutdown' });
  await turn();
  assert.equal(finished, true);
  socket.destroy();
});

test('fails as Node does when the far socket breaks, after what was read', async () => {
  const [socket, stream] = await connected();
  let text = '';
  socket.on('data', (data) => (text += data));
  stream.deliver('before');
  stream.tell({ kind: 'broken', code: 'ECONNRESET', syscall: 'read' });
  const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
  assert.equal(text, 'before');
  assert.deepEqual(
    { ...error, message: error.message },
    { errno: -104, code: 'ECONNRESET', syscall: 'read', message: 'read ECONNRESET' },
  );
});

test('fails a pending write when the far socket breaks', async () => {
  const [socket, stream] = await connected();
  socket.pause();
  stream.room = false;
  const outcome = new Promise<Error | null | undefined>((resolve) => socket.write('x', resolve));
  stream.tell({ kind: 'broken', code: 'EPIPE', syscall: 'write' });
  assert.equal((await outcome)?.message, 'write EPIPE');
});

test('names the lost connection as the cause', async () => {
  const lost = new Error('gone');
  const [open, stream] = await connected();
  stream.lose(lost);
  const [reset] = (await once(open, 'error')) as [NodeJS.ErrnoException];
  assert.equal(reset.code, 'ECONNRESET');
  assert.equal(reset.cause, lost);
  const dialling = new net.Socket().connect(address);
  await turn();
  streamOf(1).lose(lost);
  const [unreachable] = (await once(dialling, 'error')) as [NodeJS.ErrnoException];
  assert.equal(unreachable.message, 'connect ENETUNREACH 192.0.2.7:80');
  assert.equal(unreachable.cause, lost);
  assert.equal(Object.hasOwn(dialling, 'destroy'), false);
});

test('keeps the process alive exactly while Node would', async () => {
  assert.equal(far.holds(), 0);
  const [socket, stream] = await dialled();
  assert.equal(far.holds(), 1, 'connecting');
  socket.unref();
  assert.equal(far.holds(), 1, 'a request under way keeps it alive all the same');
  socket.ref();
  stream.connected();
  await once(socket, 'connect');
  assert.equal(far.holds(), 1, 'reading');
  socket.unref();
  assert.equal(far.holds(), 0, 'unref');
  socket.ref();
  assert.equal(far.holds(), 1, 'ref');
  stream.tell({ kind: 'eof' });
  socket.allowHalfOpen = true;
  socket.resume();
  await once(socket, 'end');
  assert.equal(far.holds(), 0, 'nothing left to read');
  socket.end();
  await turn();
  assert.equal(far.holds(), 1, 'its end is on the way');
  stream.tell({ kind: 'shutdown' });
  await once(socket, 'close');
  assert.equal(far.holds(), 0, 'closed');
});

test('surfaces what a listener throws, and goes on', async () => {
  const [socket, stream] = await connected();
  const thrown = new Promise((resolve) => process.once('uncaughtException', resolve));
  const boom = new Error('from a listener');
  socket.once('data', () => {
    throw boom;
  });
  stream.deliver('one');
  stream.deliver('two');
  assert.equal(await thrown, boom);
  const [next] = (await once(socket, 'data')) as [Buffer];
  assert.equal(String(next), 'two');
  socket.destroy();
});

test('leaves everything as it was after uninstall', () => {
  far.uninstall();
  const before = shape();
  far = playFarSide();
  assert.notDeepEqual(shape(), before);
  far.uninstall();
  assert.deepEqual(shape(), before);
});

function shape(): unknown[] {
  const { _handle: pipe } = new net.Socket() as unknown as { _handle: unknown };
  return [Object.getOwnPropertyDescriptors(net.Socket.prototype), pipe];
}

test.run();

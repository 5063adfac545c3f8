// Sockets of agents in processes of their own: what they cost, and what happens to them when the agent is gone.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import net, { type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import tls from 'node:tls';
import { type Connection, connect, withRemote } from '../../../src/index.ts';
import { startAgent, type TestAgent } from '../../kit/agent.ts';
import { socketsOf } from '../../kit/socket-owner.ts';
import { suite } from '../../kit/suite.ts';
import { selfSigned } from './self-signed.ts';
import { closed } from './stage.ts';

const test = suite('patches/net far', { limit: 30_000 });
let agent: TestAgent;
let conn: Connection;
const servers: net.Server[] = [];

test.before(async () => {
  agent = await startAgent({ listen: 'tcp://127.0.0.1:0' });
  conn = await connect(agent.url);
});
test.after(async () => {
  await conn.close();
  await agent.stop();
});
test.after.each(() => {
  for (const server of servers.splice(0)) server.close();
});

const there = <R>(fn: () => R): R => withRemote(conn, { except: ['stdio'] }, fn);

async function serve(handler: (socket: Socket) => void, at: string | number = 0): Promise<number> {
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    handler(socket);
  });
  servers.push(server);
  if (typeof at === 'string') server.listen(at);
  else server.listen(at, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** Waits until it is true; the test's own limit ends the wait. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(10);
}

/** Waits until the number has stopped changing, and returns it. */
async function settled(count: () => number): Promise<number> {
  for (let before = -1; before !== count(); await sleep(250)) before = count();
  return count();
}

const MB = 1024 * 1024;
const SIZE = 64 * MB;
/** What may lie between a writer and a reader who does not read: the kernel's buffers, and ours of one or two MB. */
const BETWEEN = 24 * MB;

/** Writes SIZE bytes, as fast as the socket lets it. */
async function pour(socket: net.Socket, told: (written: number) => void): Promise<void> {
  const piece = Buffer.alloc(MB / 4);
  for (let written = 0; written < SIZE; written += piece.length) {
    for (let at = 0; at < piece.length; at += 4) piece.writeUInt32LE((written + at) >>> 2, at);
    if (!socket.write(Buffer.from(piece))) await once(socket, 'drain');
    told(written + piece.length);
  }
  socket.end();
}

/** Reads everything, and checks that it is what `pour` wrote. */
async function drink(socket: net.Socket): Promise<number> {
  let received = 0;
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    const words = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const whole = words.length & ~3;
    // Every word would take seconds.
    if (whole > 0) assert.equal(words.readUInt32LE(0), received >>> 2);
    received += whole;
    rest = words.subarray(whole);
  }
  return received;
}

test('a reader that does not read stops the writer on the other side of both links', async () => {
  let written = 0;
  const port = await serve((socket) => void pour(socket, (count) => (written = count)));
  const socket = there(() => net.connect(port, '127.0.0.1'));
  socket.pause();
  await once(socket, 'connect');
  const held = await settled(() => written);
  assert.ok(held < BETWEEN, `${held / MB} MB were taken for a reader that does not read`);
  assert.ok(socket.readableLength < 2 * MB);
  assert.equal(await drink(socket), SIZE);
  assert.equal(socket.bytesRead, SIZE);
});

test('a server that does not read stops a writer here', async () => {
  let written = 0;
  let peer: Socket | undefined;
  const port = await serve((socket) => (peer = socket.pause()));
  const socket = there(() => net.connect(port, '127.0.0.1'));
  const poured = pour(socket, (count) => (written = count));
  const held = await settled(() => written);
  assert.ok(held < BETWEEN, `${held / MB} MB were taken for a server that does not read`);
  assert.equal(await drink(peer as Socket), SIZE);
  await poured;
  assert.equal(socket.bytesWritten, SIZE);
  peer?.end();
  await once(socket.resume(), 'close');
});

test('connect and first write are one flight: two packets, sent in one tick', async () => {
  const port = await serve((socket) => socket.pipe(socket));
  await conn.ping();
  const before = conn.stats();
  const socket = there(() => net.connect(port, '127.0.0.1'));
  socket.write('first');
  await new Promise(setImmediate);
  assert.equal(conn.stats().packetsSent - before.packetsSent, 2);
  const [data] = (await once(socket, 'data')) as [Buffer];
  assert.equal(String(data), 'first');
  assert.equal(conn.stats().packetsSent - before.packetsSent, 2, 'nothing more was needed');
  socket.destroy();
});

test('a relative unix socket is found in the scope’s directory', async () => {
  const folder = join(agent.folder, 'sub');
  fs.mkdirSync(folder);
  await serve((socket) => socket.end('in sub'), join(folder, 'own.sock'));
  await serve((socket) => socket.end('in the agent’s'), join(agent.folder, 'own.sock'));
  const read = async (): Promise<string> =>
    String((await once(net.connect('own.sock').setEncoding('utf8'), 'data'))[0]);
  assert.equal(await there(read), 'in the agent’s');
  const moved = there(() => {
    process.chdir('sub');
    return read();
  });
  assert.equal(await moved, 'in sub');
  const missing = async (): Promise<unknown> =>
    Object.entries(((await once(net.connect('none.sock'), 'error')) as [Error])[0]);
  assert.deepEqual(await there(missing), await missing());
});

test('TLS negotiates server name and protocol', async () => {
  const names: unknown[] = [];
  const server = tls.createServer({
    ...selfSigned,
    ALPNProtocols: ['h2', 'mine'],
    SNICallback: (name, done) => {
      names.push(name);
      done(null);
    },
  });
  servers.push(server);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const options = {
    port,
    host: '127.0.0.1',
    ca: selfSigned.cert,
    servername: 'localhost',
    ALPNProtocols: ['mine'],
  };
  const socket = there(() => tls.connect(options));
  await once(socket, 'secureConnect');
  assert.deepEqual([names, socket.alpnProtocol, socket.authorized], [['localhost'], 'mine', true]);
  socket.destroy();
});

/** Own name, code, and the code of what is behind it. */
const story = (error: unknown): unknown[] => {
  const { code, cause } = error as NodeJS.ErrnoException;
  return [code, (cause as NodeJS.ErrnoException | undefined)?.code];
};

test('an agent killed in the middle: sockets are reset, and nothing hangs', async () => {
  const own = await startAgent();
  const link = await connect(own.url);
  const inScope = <R>(fn: () => R): R => withRemote(link, { except: ['stdio'] }, fn);
  const peers: Socket[] = [];
  const port = await serve((socket) => peers.push(socket));
  const open = inScope(() => net.connect(port, '127.0.0.1'));
  const idle = inScope(() => net.connect(port, '127.0.0.1'));
  const agentOf = new http.Agent({ keepAlive: true });
  const request = inScope(() => http.get({ port, host: '127.0.0.1', agent: agentOf }));
  const fetched = inScope(() => fetch(`http://127.0.0.1:${port}/`)).catch((e: Error) => e.cause);
  open.write('hello');
  await until(() => peers.length === 4);
  // The agent has seen every connect in the turn of its loop before the second answer.
  for (let turns = 0; turns < 2; turns++) await link.ping();
  own.process.kill('SIGSTOP');
  const pending = inScope(() => net.connect(port, '127.0.0.1'));
  pending.write('never');
  const looked = inScope(async () => (await import('node:dns')).promises.lookup('far.test')).catch(
    (e: unknown) => e,
  );
  const failures = [open, idle, request, pending].map(
    async (each) => (await once(each, 'error'))[0],
  );
  const closes = [open, idle, pending].map(closed);
  await own.stop('SIGKILL');
  const [of, idleOf, requestOf, pendingOf] = (await Promise.all(failures)).map(story);
  const lost = ['ECONNRESET', 'ERR_ELSEWHERE_CONNECTION_LOST'];
  assert.deepEqual([of, idleOf, requestOf], [lost, lost, lost]);
  assert.deepEqual(pendingOf, ['ENETUNREACH', 'ERR_ELSEWHERE_CONNECTION_LOST']);
  assert.deepEqual(story(await fetched), lost);
  assert.equal(((await looked) as NodeJS.ErrnoException).code, 'ECONNRESET');
  await Promise.all(closes);
  const late = inScope(() => net.connect(port, '127.0.0.1'));
  const [error] = await once(late, 'error');
  assert.deepEqual(story(error), ['ENETUNREACH', 'ERR_ELSEWHERE_CLOSED']);
  await Promise.all(peers.map((peer) => peer.destroyed || once(peer.resume().end(), 'close')));
  agentOf.destroy();
  assert.equal(link.stats().streams, 0);
});

test('nothing stays open on the agent', async () => {
  const pid = agent.process.pid ?? 0;
  await until(() => conn.stats().streams === 0);
  const base = await settled(() => socketsOf(pid));
  const peers: Socket[] = [];
  const port = await serve((socket) => {
    peers.push(socket);
    socket.once('data', (data) => {
      if (String(data) === 'end') socket.end();
      if (String(data) === 'reset' || data[0] === 1) socket.resetAndDestroy();
    });
    socket.on('end', () => socket.end());
  });
  const dial = (then?: (socket: Socket) => void): Socket => {
    const socket = net.connect(port, '127.0.0.1', () => then?.(socket));
    return socket.on('error', () => undefined).resume();
  };
  const ways: (() => Socket)[] = [
    () => dial((socket) => socket.end()),
    () => dial((socket) => socket.destroy()),
    () => dial((socket) => socket.resetAndDestroy()),
    () => dial((socket) => socket.destroy(new Error('mine'))),
    () => dial((socket) => socket.write('end')),
    () => dial((socket) => socket.write('reset')),
    () => dial((socket) => socket.end(Buffer.alloc(3 * MB))),
    () =>
      dial((socket) => {
        socket.write(Buffer.alloc(3 * MB));
        socket.destroy();
      }),
    // Reset while much is still on its way.
    () => dial((socket) => socket.write(Buffer.alloc(3 * MB, 1))),
    () => dial().destroy(),
    () => dial().end(),
    () => net.connect(1, '127.0.0.1').on('error', () => undefined),
    () => net.connect('/nonexistent/x.sock').on('error', () => undefined),
  ];
  for (let round = 0; round < 5; round++)
    await there(() => Promise.all(ways.map((way) => closed(way()))));
  const web = http.createServer((_request, response) => response.end('page'));
  servers.push(web);
  await once(web.listen(0, '127.0.0.1'), 'listening');
  const at = (web.address() as AddressInfo).port;
  const pool = new http.Agent({ keepAlive: true });
  await there(async () => {
    const request = http.get({ port: at, host: '127.0.0.1', agent: pool });
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    await once(response.resume(), 'end');
    await (await fetch(`http://127.0.0.1:${at}/`)).text();
  });
  assert.ok(conn.stats().streams >= 2, 'kept alive');
  pool.destroy();
  web.closeAllConnections();
  for (const peer of peers) peer.destroy();
  await until(() => conn.stats().streams === 0);
  await until(() => socketsOf(pid) === base);

  const other = await connect(agent.url);
  const left = withRemote(other, { except: ['stdio'] }, () => net.connect(port, '127.0.0.1'));
  left.on('error', () => undefined);
  await once(left, 'connect');
  await other.close();
  await until(() => socketsOf(pid) === base);
});

test.run();

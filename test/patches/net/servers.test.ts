// Servers of a scope: their ports are the far side's, everything above them is Node's own.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import net, { type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import WebSocket, { WebSocketServer } from 'ws';
import { type Connection, connect, withLocal, withRemote } from '../../../src/index.ts';
import { startAgent, type TestAgent } from '../../kit/agent.ts';
import { listensOn } from '../../kit/socket-owner.ts';
import { suite } from '../../kit/suite.ts';
import { selfSigned } from './self-signed.ts';

const test = suite('patches/net servers', { limit: 20_000 });
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

/** Listens on the far side. */
async function port(server: net.Server, host = '127.0.0.1'): Promise<number> {
  servers.push(server);
  there(() => server.listen(0, host));
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

test('has its port when listen returns, and the port is the agent process’ own', async () => {
  const server = there(() => net.createServer((socket) => socket.end('from here')).listen(0));
  servers.push(server);
  const address = server.address() as AddressInfo;
  assert.deepEqual([address.address, address.family], ['::', 'IPv6']);
  assert.ok(listensOn(agent.process.pid ?? 0, address.port), 'who listens');
  const client = net.connect(address.port, '127.0.0.1');
  assert.equal(await text(client), 'from here');
});

test('gives real sockets, with addresses, half-open, both ways', async () => {
  const told: unknown[] = [];
  const at = await port(
    net.createServer({ allowHalfOpen: true }, (socket) => {
      const { remoteAddress, remotePort, localPort, remoteFamily } = socket;
      told.push(socket instanceof net.Socket, remoteAddress, remotePort, localPort, remoteFamily);
      let heard = '';
      socket.setEncoding('utf8').on('data', (data) => (heard += data));
      socket.on('end', () => socket.end(`you said ${heard}`));
    }),
  );
  const client = net.connect(at, '127.0.0.1');
  await once(client, 'connect');
  const { localPort } = client;
  client.end('hello');
  assert.equal(await text(client), 'you said hello');
  assert.deepEqual(told, [true, '127.0.0.1', localPort, at, 'IPv4']);
});

test('refuses as Node does: the same error as here', async () => {
  const taken = net.createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port: number } = taken.address() as AddressInfo;
  const refused = async (host: string, at: number): Promise<unknown> => {
    const server = net.createServer();
    server.listen(at, host);
    const [error] = (await once(server, 'error')) as [NodeJS.ErrnoException];
    return [error.message, Object.entries(error), server.listening, server.address()];
  };
  for (const [host, at] of [
    ['127.0.0.1', number],
    ['192.0.2.1', 0],
  ] as const) {
    const here = await refused(host, at);
    assert.deepEqual(await there(() => refused(host, at)), here);
  }
  taken.close();
});

test('serves 500 connections at once', async () => {
  const at = await port(net.createServer((socket) => socket.pipe(socket)));
  const answers = await Promise.all(
    Array.from({ length: 500 }, async (_, index) => {
      const client = net.connect(at, '127.0.0.1');
      client.end(`number ${index}`);
      return text(client);
    }),
  );
  assert.deepEqual(
    answers,
    answers.map((_, index) => `number ${index}`),
  );
});

test('drops those above maxConnections and counts the others', async () => {
  const server = net.createServer();
  server.maxConnections = 1;
  const at = await port(server);
  const dropped = once(server, 'drop');
  const first = net.connect(at, '127.0.0.1');
  await once(server, 'connection');
  const second = net.connect(at, '127.0.0.1');
  second.on('error', () => undefined);
  const [{ remotePort }] = (await dropped) as [{ remotePort: number }];
  assert.equal(remotePort, second.localPort);
  const count = await new Promise((resolve) => {
    server.getConnections((_, connections) => resolve(connections));
  });
  assert.equal(count, 1);
  first.destroy();
});

test('frees the port when it is closed, and lets its sockets go on', async () => {
  const server = net.createServer((socket) => void socket.pipe(socket));
  const at = await port(server);
  const client = net.connect(at, '127.0.0.1');
  await once(server, 'connection');
  server.close();
  client.write('still');
  const [data] = (await once(client, 'data')) as [Buffer];
  assert.equal(String(data), 'still');
  client.end();
  await once(server, 'close');
  const again = there(() => net.createServer().listen(at, '127.0.0.1'));
  servers.push(again);
  await once(again, 'listening');
});

test('makes the sender wait when nobody reads', async () => {
  const MB = 1024 * 1024;
  const accepted: net.Socket[] = [];
  const at = await port(
    net.createServer({ pauseOnConnect: true }, (socket) => {
      accepted.push(socket.on('error', () => undefined));
    }),
  );
  const client = net.connect(at, '127.0.0.1');
  client.on('error', () => undefined);
  const piece = Buffer.alloc(MB);
  let written = 0;
  while (written < 64 && client.write(piece)) written++;
  for (let still = 0; written < 64 && still < 3; ) {
    const drained = await Promise.race([
      once(client, 'drain').then(() => true),
      new Promise<boolean>((resolve) => setTimeout(resolve, 300, false)),
    ]);
    if (!drained) still++;
    for (let room = drained; room && written < 64; written++) room = client.write(piece);
  }
  assert.ok(written < 40, `${written} MB were taken although nobody reads`);
  client.destroy();
  for (const socket of accepted) socket.destroy();
});

test('unix sockets: a path of the far side, gone after close', async () => {
  const server = there(() => net.createServer((socket) => socket.end('unix')));
  there(() =>
    server.listen({
      path: join(agent.folder, 'server.sock'),
      readableAll: true,
      writableAll: true,
    }),
  );
  await once(server, 'listening');
  assert.equal(server.address(), join(agent.folder, 'server.sock'));
  // Whether it may also be executed differs between releases of libuv.
  assert.equal(fs.statSync(join(agent.folder, 'server.sock')).mode & 0o666, 0o666);
  // In the scope a relative path starts in the agent's folder.
  assert.equal(await text(there(() => net.connect('server.sock'))), 'unix');
  server.close();
  await once(server, 'close');
  // Asked in the scope, behind the close.
  assert.equal(
    there(() => fs.existsSync('server.sock')),
    false,
  );
});

test('http, https, http2 and ws servers', async () => {
  const web = http.createServer((request, response) => response.end(`http ${request.url}`));
  const plain = await port(web);
  assert.equal(await (await fetch(`http://127.0.0.1:${plain}/a`)).text(), 'http /a');
  const sockets = new WebSocketServer({ server: web });
  sockets.on('connection', (socket) => socket.on('message', (data) => socket.send(`ws ${data}`)));
  const client = new WebSocket(`ws://127.0.0.1:${plain}`);
  await once(client, 'open');
  client.send('ping');
  assert.equal(String((await once(client, 'message'))[0]), 'ws ping');
  client.close();
  await once(client, 'close');

  const secure = await port(https.createServer(selfSigned, (_, response) => response.end('https')));
  const answer = await new Promise<http.IncomingMessage>((resolve) => {
    https.get(
      { port: secure, host: '127.0.0.1', rejectUnauthorized: false, agent: false },
      resolve,
    );
  });
  assert.equal(await text(answer), 'https');

  const two = http2.createServer();
  two.on('stream', (stream) => stream.end('http2'));
  const session = http2.connect(`http://127.0.0.1:${await port(two)}`);
  assert.equal(await text(session.request()), 'http2');
  session.close();
  web.closeAllConnections();
});

test('its handlers run in the scope of the server', async () => {
  const directories: string[] = [];
  const server = net.createServer((socket) => {
    directories.push(process.cwd());
    socket.once('data', () => {
      directories.push(process.cwd());
      socket.end();
    });
  });
  const client = net.connect(await port(server), '127.0.0.1');
  client.write('x');
  await text(client);
  assert.deepEqual(directories, [agent.folder, agent.folder]);
});

test('stays here when the scope leaves servers out', async () => {
  const server = withRemote(conn, { except: ['server', 'stdio'] }, () => net.createServer());
  withRemote(conn, { except: ['server', 'stdio'] }, () => server.listen(0, '127.0.0.1'));
  servers.push(server);
  await once(server, 'listening');
  assert.ok(listensOn(process.pid, (server.address() as AddressInfo).port));
});

test('a descriptor of this process is refused', async () => {
  const here = withLocal(() => net.createServer().listen(0, '127.0.0.1'));
  servers.push(here);
  await once(here, 'listening');
  const { fd } = (here as unknown as { _handle: { fd: number } })._handle;
  assert.throws(() => there(() => net.createServer().listen({ fd })), {
    code: 'ERR_ELSEWHERE_UNSUPPORTED',
  });
});

test('a connection closed on purpose closes its servers, a lost one fails them', async () => {
  for (const purpose of [true, false]) {
    const other = await startAgent();
    const second = await connect(other.url, { grace: 0 });
    const server = withRemote(second, { except: ['stdio'] }, () => net.createServer().listen(0));
    const errors: NodeJS.ErrnoException[] = [];
    server.on('error', (error) => errors.push(error));
    await once(server, 'listening');
    const closed = new Promise((resolve) => server.once('close', resolve));
    if (purpose) await second.close();
    else await other.stop('SIGKILL');
    await closed;
    await new Promise(setImmediate);
    assert.deepEqual(
      errors.map(({ code, syscall }) => [code, syscall]),
      purpose ? [] : [['ECONNRESET', 'accept']],
    );
    if (purpose) await other.stop();
  }
});

test.run();

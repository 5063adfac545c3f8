// SOCKS 5: a client of another kind reaches what the far side reaches.
import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { once } from 'node:events';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import {
  type Connection,
  connect,
  type ProxyEvent,
  proxy,
  type RunningProxy,
} from '../../src/index.ts';
import type { TestAgent } from '../kit/agent.ts';
import { ownerOf } from '../kit/socket-owner.ts';
import { suite } from '../kit/suite.ts';
import {
  askSocks,
  curl,
  curlVersion,
  knowsNames,
  ONLY_THERE,
  socksRequest,
  startEcho,
  startNamedAgent,
  take,
} from './stage.ts';

const CONNECT = 1;
const UDP_ASSOCIATE = 3;

const test = suite('proxy/socks', { limit: 15_000 });
let agent: TestAgent;
let conn: Connection;
let echo: Awaited<ReturnType<typeof startEcho>>;
let running: RunningProxy;
let port: number;
const events: ProxyEvent[] = [];

test.before(async () => {
  [agent, echo] = await Promise.all([startNamedAgent(), startEcho()]);
  conn = await connect(agent.url);
  running = await proxy(conn, { socks: 0, onConnection: (event) => events.push(event) });
  port = running.socks?.port ?? 0;
});
test.after(async () => {
  await running.close();
  await conn.close();
  await agent.stop();
  echo.server.close();
});

test('a name that only the far side knows, for curl', async ({ skip }) => {
  if (!knowsNames) skip('a hosts file for the agent alone needs root');
  if ((await curlVersion()) === undefined) skip('there is no curl');
  const page = http.createServer((request, response) =>
    response.end(`for ${request.headers.host}`),
  );
  page.listen(0, '127.0.0.9');
  await once(page, 'listening');
  const { port: pagePort } = page.address() as AddressInfo;
  const { stdout } = await curl(
    `http://${ONLY_THERE}:${pagePort}/`,
    '--proxy',
    `socks5h://127.0.0.1:${port}`,
  );
  assert.equal(stdout, `for ${ONLY_THERE}:${pagePort}`);
  // Known here it is not.
  assert.equal((await curl(`http://${ONLY_THERE}:${pagePort}/`)).code, 6);
  page.close();
});

test('the socket is the far side’s; the answer tells its address', async () => {
  const { socket, answer } = await askSocks(port, socksRequest(CONNECT, '127.0.0.1', echo.port));
  assert.equal(answer[1], 0);
  const [there] = echo.sockets;
  assert.ok(there);
  assert.equal(ownerOf(there, new Map([['far', agent.process.pid ?? 0]])), 'far');
  assert.equal(answer.readUInt16BE(8), there.remotePort);
  socket.end('half-open');
  assert.equal(await text(socket), 'half-open');
});

test('bytes that do not wait for the answer go along', async () => {
  const request = socksRequest(CONNECT, '127.0.0.1', echo.port);
  const { socket } = await askSocks(port, Buffer.concat([request, Buffer.from('early')]));
  assert.equal(String(await take(socket, 5)), 'early');
  socket.destroy();
});

test('a request that comes byte by byte', async () => {
  const socket = net.connect(port, '127.0.0.1');
  for (const byte of [5, 1, 0, ...socksRequest(CONNECT, '127.0.0.1', echo.port)]) {
    socket.write(Buffer.from([byte]));
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  assert.deepEqual([...(await take(socket, 4))], [5, 0, 5, 0]);
  socket.destroy();
});

test('100 streams at once, each with its own bytes', async () => {
  const bytes = (at: number): Buffer => Buffer.alloc(50_000, at);
  await Promise.all(
    Array.from({ length: 100 }, async (_, at) => {
      const { socket } = await askSocks(port, socksRequest(CONNECT, '127.0.0.1', echo.port));
      socket.end(bytes(at));
      const chunks: Buffer[] = [];
      for await (const chunk of socket) chunks.push(chunk as Buffer);
      assert.deepEqual(Buffer.concat(chunks), bytes(at));
    }),
  );
  assert.equal(running.stats().open, 0);
});

test('failures have the codes of the RFC, and are told', async () => {
  const closed = net.createServer().listen(0, '127.0.0.1');
  await once(closed, 'listening');
  const { port: nobody } = closed.address() as AddressInfo;
  closed.close();
  const codeOf = async (request: Buffer): Promise<number | undefined> => {
    const { socket, answer } = await askSocks(port, request);
    await text(socket);
    return answer[1];
  };
  assert.equal(await codeOf(socksRequest(CONNECT, '127.0.0.1', nobody)), 5, 'refused');
  assert.match(
    events.at(-1)?.failure ?? '',
    new RegExp(`^127\\.0\\.0\\.1:${nobody} is not reached`),
  );
  assert.equal(await codeOf(socksRequest(CONNECT, 'no..name', 80)), 4, 'no such host');
  assert.equal(await codeOf(socksRequest(CONNECT, '169.254.169.254', 80)), 2, 'denied');
  assert.match(events.at(-1)?.failure ?? '', /credentials/);
  assert.equal(await codeOf(socksRequest(2, '127.0.0.1', 1)), 7, 'BIND');
});

test('other protocols are turned away', async () => {
  for (const [words, answer] of [
    ['GET / HTTP/1.1\r\n\r\n', ''],
    ['\x04\x01\x00\x50\x7f\x00\x00\x01\x00', '\x00\x5b\x00\x00\x00\x00\x00\x00'],
    ['\x05\x01\x02', '\x05\xff'],
  ] as const) {
    const socket = net.connect(port, '127.0.0.1');
    socket.end(words, 'latin1');
    socket.setEncoding('latin1');
    assert.equal(await text(socket).catch(() => ''), answer);
  }
});

test('a stalled reader stops the far side', async () => {
  let sent = 0;
  const source = net.createServer((socket) => {
    socket.on('error', () => undefined);
    const push = (): void => {
      while (socket.write(Buffer.alloc(65_536))) sent += 65_536;
      sent += 65_536;
    };
    socket.on('drain', push);
    push();
  });
  source.listen(0, '127.0.0.1');
  await once(source, 'listening');
  const { socket } = await askSocks(
    port,
    socksRequest(CONNECT, '127.0.0.1', (source.address() as AddressInfo).port),
  );
  socket.pause();
  let before = -1;
  while (before !== sent) {
    before = sent;
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  assert.ok(sent < 40_000_000, `${sent} bytes were sent to nobody`);
  socket.destroy();
  source.close();
});

test('a client that goes ends its connection there', async () => {
  const { socket } = await askSocks(port, socksRequest(CONNECT, '127.0.0.1', echo.port));
  const [there] = [...echo.sockets].slice(-1);
  socket.resetAndDestroy();
  if (there?.destroyed === false) await new Promise((resolve) => there.once('close', resolve));
});

test('datagrams: echoed by address and by name, kept apart, fragments dropped', async ({
  skip,
}) => {
  if (!knowsNames) skip('a hosts file for the agent alone needs root');
  const target = dgram.createSocket('udp4');
  target.on('message', (bytes, from) => target.send(`${bytes}!`, from.port, from.address));
  target.bind(0, '0.0.0.0');
  await once(target, 'listening');
  const { socket, answer } = await askSocks(port, socksRequest(UDP_ASSOCIATE, '0.0.0.0', 0));
  const [relayHost, relayPort] = [answer.subarray(4, 8).join('.'), answer.readUInt16BE(8)];
  const client = dgram.createSocket('udp4');
  const stranger = dgram.createSocket('udp4');
  const to = (host: string, words: string, fragment = 0): Buffer =>
    Buffer.concat([
      Buffer.from([0, 0, fragment]),
      socksRequest(0, host, target.address().port).subarray(3),
      Buffer.from(words),
    ]);
  const send = (from: dgram.Socket, bytes: Buffer): void => from.send(bytes, relayPort, relayHost);
  send(client, to('127.0.0.1', 'one'));
  const [first] = (await once(client, 'message')) as [Buffer];
  assert.equal(String(first.subarray(10)), 'one!');
  assert.deepEqual([...first.subarray(0, 8)], [0, 0, 0, 1, 127, 0, 0, 1]);
  send(stranger, to('127.0.0.1', 'stranger'));
  send(client, to('127.0.0.1', 'fragment', 1));
  send(client, to(ONLY_THERE, 'two'));
  const [second] = (await once(client, 'message')) as [Buffer];
  assert.equal(String(second.subarray(10)), 'two!');
  assert.equal(running.stats().datagramsUp, 2);
  socket.destroy();
  while (running.stats().open > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  for (const one of [client, stranger, target]) one.close();
});

test('stats count both ways', async () => {
  const before = running.stats();
  const { socket } = await askSocks(port, socksRequest(CONNECT, '127.0.0.1', echo.port));
  socket.end('12345');
  await text(socket);
  const { total, bytesUp, bytesDown } = running.stats();
  assert.equal(total, before.total + 1);
  assert.ok(bytesUp >= before.bytesUp + 5 && bytesDown >= before.bytesDown + 5);
});

test.run();

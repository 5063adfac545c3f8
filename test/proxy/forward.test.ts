// Forwarded ports both ways, and what a proxy does with its options and its end.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type Connection, connect, type ProxyEvent, proxy } from '../../src/index.ts';
import { elsewhere, startAgent, type TestAgent } from '../kit/agent.ts';
import { listensOn, ownerOf } from '../kit/socket-owner.ts';
import { suite } from '../kit/suite.ts';
import { askSocks, socksRequest, startEcho } from './stage.ts';

const test = suite('proxy/forward', { limit: 15_000 });
const folder = mkdtempSync(join(tmpdir(), 'elsewhere-forward-'));
let agent: TestAgent;
let conn: Connection;
let echo: Awaited<ReturnType<typeof startEcho>>;

test.before(async () => {
  [agent, echo] = await Promise.all([startAgent(), startEcho()]);
  conn = await connect(agent.url);
});
test.after(async () => {
  await conn.close();
  await agent.stop();
  echo.server.close();
  rmSync(folder, { recursive: true });
});

function say(place: net.NetConnectOpts, words: string): Promise<string> {
  const socket = net.connect({ ...place, allowHalfOpen: true });
  socket.end(words);
  return text(socket);
}

test('a port and a unix socket here lead to a place there; many at once', async () => {
  const path = join(folder, 'here.sock');
  const running = await proxy(conn, {
    forward: [
      { listen: 0, to: { host: 'localhost', port: echo.port } },
      { listen: path, to: { host: '127.0.0.1', port: echo.port } },
    ],
  });
  const [first] = running.forward;
  assert.ok(first !== undefined && 'port' in first);
  assert.equal(await say(first, 'by port'), 'by port');
  assert.equal(await say({ path }, 'by path'), 'by path');
  const open = net.connect(first);
  await once(echo.server, 'connection');
  const [there] = [...echo.sockets].slice(-1);
  assert.equal(ownerOf(there ?? assert.fail(), new Map([['far', agent.process.pid ?? 0]])), 'far');
  assert.equal(running.stats().open, 1);
  // What is open ends with it.
  open.on('error', () => undefined);
  await running.close();
  if (!open.closed) await new Promise((resolve) => open.once('close', resolve));
  await assert.rejects(say(first, ''), { code: 'ECONNREFUSED' });
});

test('a port there leads to a place here', async () => {
  const events: ProxyEvent[] = [];
  const running = await proxy(conn, {
    reverse: [{ to: echo.port }, { to: { host: '127.0.0.1', port: 1 } }],
    onConnection: (event) => events.push(event),
  });
  const [port, dead] = running.reverse;
  assert.ok(port !== undefined && dead !== undefined);
  assert.ok(listensOn(agent.process.pid ?? 0, port.port));
  assert.equal(await say(port, 'back'), 'back');
  assert.equal(running.stats().total, 1);
  await assert.rejects(say(dead, ''), { code: 'ECONNRESET' });
  assert.match(events.at(-1)?.failure ?? '', /127\.0\.0\.1:1 is not reached from here/);
  await running.close();
});

test('a port there that is taken, or that the policy withholds, is told', async () => {
  const taken = { reverse: [{ to: echo.port, remotePort: echo.port, remoteHost: '0.0.0.0' }] };
  await assert.rejects(proxy(conn, { socks: 0, ...taken }), {
    code: 'ERR_ELSEWHERE_CONNECT',
    message: /the far side cannot listen on 0\.0\.0\.0:\d+: .*EADDRINUSE/,
  });
  const strict = await startAgent({ args: ['--connect', '127.0.0.1:1'] });
  const ended = await elsewhere(['proxy', strict.url, '-R', `0:127.0.0.1:${echo.port}`]);
  assert.match(ended.stderr, /elsewhere: the far side cannot listen on 127\.0\.0\.1:0: .*policy/);
  assert.doesNotMatch(ended.stderr, / at /);
  assert.equal(ended.code, 77);
  await strict.stop();
});

test('a target that refuses resets its client, and the port stays', async () => {
  const events: ProxyEvent[] = [];
  const running = await proxy(conn, {
    forward: [{ listen: 0, to: { host: '127.0.0.1', port: 1 } }],
    onConnection: (event) => events.push(event),
  });
  const [place] = running.forward as [net.NetConnectOpts];
  for (let round = 0; round < 2; round++)
    await assert.rejects(say(place, 'x'), { code: 'ECONNRESET' });
  assert.equal(events.length, 2);
  assert.match(events[0]?.failure ?? '', /connection refused/);
  assert.equal(running.stats().failed, 2);
  await running.close();
});

test('public addresses are refused without a word for it, and then nothing listens', async () => {
  const free = await proxy(conn, { socks: 0 });
  const { port = 0 } = free.socks ?? {};
  await free.close();
  for (const host of ['0.0.0.0', '::', '10.0.0.1'])
    await assert.rejects(proxy(conn, { socks: port, http: { host, port: 0 } }), {
      code: 'ERR_ELSEWHERE_DENIED',
    });
  const allowed = await proxy(conn, { socks: { host: '0.0.0.0', port }, public: true });
  await allowed.close();
  await assert.rejects(proxy(conn, {}), { code: 'ERR_ELSEWHERE_ARGUMENT' });
  const taken = await proxy(conn, { socks: 0 });
  await assert.rejects(proxy(conn, { socks: taken.socks?.port ?? 0 }), (error: Error) => {
    assert.equal((error as { code?: string }).code, 'ERR_ELSEWHERE_CONNECT');
    assert.match(error.message, /cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE/);
    return true;
  });
  await taken.close();
});

test('an agent killed in the middle: connections are reset, the proxy ends', async () => {
  const own = await startAgent();
  const other = await connect(own.url);
  const running = await proxy(other, { socks: 0 });
  const { socket, answer } = await askSocks(
    running.socks?.port ?? 0,
    socksRequest(1, '127.0.0.1', echo.port),
  );
  assert.equal(answer[1], 0);
  const failed = new Promise<NodeJS.ErrnoException>((resolve) => socket.once('error', resolve));
  await own.stop('SIGKILL');
  await running.closed;
  assert.equal((await failed).code, 'ECONNRESET');
});

test('ends with its signal', async () => {
  const stop = new AbortController();
  const running = await proxy(conn, { socks: 0, signal: stop.signal });
  stop.abort();
  await running.closed;
  await assert.rejects(proxy(conn, { socks: 0, signal: stop.signal }), { name: 'AbortError' });
});

test.run();

// The HTTP proxy: plain requests, CONNECT, upgrades, the PAC file.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import vm from 'node:vm';
import { type Connection, connect, proxy, type RunningProxy } from '../../src/index.ts';
import type { TestAgent } from '../kit/agent.ts';
import { ownerOf } from '../kit/socket-owner.ts';
import { suite } from '../kit/suite.ts';
import { curl, curlVersion, startEcho, startNamedAgent, take } from './stage.ts';

const test = suite('proxy/http', { limit: 15_000 });
let agent: TestAgent;
let conn: Connection;
let running: RunningProxy;
let port: number;
let site: http.Server;
let sitePort: number;
/** What the site saw: the side whose socket came, and the request. */
const seen: { owner: string; request: http.IncomingMessage }[] = [];

test.before(async () => {
  agent = await startNamedAgent();
  conn = await connect(agent.url);
  running = await proxy(conn, { http: 0, socks: 0 });
  port = running.http?.port ?? 0;
  site = http.createServer(async (request, response) => {
    const owner = ownerOf(request.socket, new Map([['far', agent.process.pid ?? 0]]));
    seen.push({ owner, request });
    response.setHeader('x-answer', ['one', 'two']);
    response.end(`${request.method} ${request.url} ${await text(request)}`);
  });
  site.on('upgrade', (request: http.IncomingMessage, socket: net.Socket, head: Buffer) => {
    socket.write(
      `HTTP/1.1 101 Switching\r\nUpgrade: ${request.headers.upgrade}\r\nConnection: Upgrade\r\n\r\n`,
    );
    socket.write(`${request.url} `);
    socket.unshift(head);
    socket.pipe(socket);
  });
  site.listen(0, '127.0.0.1');
  await once(site, 'listening');
  sitePort = (site.address() as AddressInfo).port;
});
test.after(async () => {
  await running.close();
  await conn.close();
  await agent.stop();
  site.close();
});

interface Answer {
  readonly status: number | undefined;
  readonly body: string;
  readonly headers: http.IncomingHttpHeaders;
}

function ask(path: string, options: http.RequestOptions = {}, body = ''): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request({ host: '127.0.0.1', port, path, ...options }, (response) => {
      text(response).then(
        (whole) => resolve({ status: response.statusCode, body: whole, headers: response.headers }),
        reject,
      );
    });
    request.on('error', reject).end(body);
  });
}

test('plain requests are the far side’s, with the headers that are not the proxy’s', async () => {
  const url = `http://127.0.0.1:${sitePort}/page?q=1`;
  const { status, body, headers } = await ask(
    url,
    {
      method: 'POST',
      headers: {
        'X-Mine': 'a',
        'Proxy-Authorization': 'secret',
        Connection: 'X-Hop',
        'X-Hop': 'b',
      },
    },
    'the body',
  );
  assert.equal(status, 200);
  assert.equal(body, 'POST /page?q=1 the body');
  assert.equal(headers['x-answer'], 'one, two');
  const { owner, request } = seen.at(-1) ?? assert.fail();
  assert.equal(owner, 'far');
  assert.equal(request.headers.host, `127.0.0.1:${sitePort}`);
  assert.ok(request.rawHeaders.includes('X-Mine'));
  for (const name of ['proxy-authorization', 'x-hop'])
    assert.equal(request.headers[name], undefined);
});

test('one socket over there serves several requests', async () => {
  const sockets = new Set<net.Socket>();
  const from = seen.length;
  for (let round = 0; round < 3; round++) await ask(`http://127.0.0.1:${sitePort}/`);
  for (const { request } of seen.slice(from)) sockets.add(request.socket);
  assert.equal(sockets.size, 1);
});

test('failures are one line', async () => {
  const refused = await ask('http://127.0.0.1:1/');
  assert.equal(refused.status, 502);
  assert.match(
    refused.body,
    /^127\.0\.0\.1:1 is not reached from the far side: connection refused .*\n$/,
  );
  assert.equal((await ask('http://169.254.169.254/latest')).status, 403);
  assert.equal((await ask('http://no..name/')).status, 502);
  const here = await ask('/page');
  assert.equal(here.status, 400);
  assert.match(here.body, /proxy\.pac/);
});

/** The socket behind a CONNECT, or the whole answer that refuses it. */
async function tunnel(authority: string): Promise<net.Socket | string> {
  const request = http
    .request({ host: '127.0.0.1', port, method: 'CONNECT', path: authority })
    .end();
  const [response, socket, head] = (await once(request, 'connect')) as [
    http.IncomingMessage,
    net.Socket,
    Buffer,
  ];
  socket.unshift(head);
  if (response.statusCode === 200) return socket;
  return `${response.statusCode} ${await text(socket)}`;
}

test('CONNECT: a tunnel, half-open; refused and denied as text', async () => {
  const echo = await startEcho();
  const socket = await tunnel(`127.0.0.1:${echo.port}`);
  assert.ok(socket instanceof net.Socket);
  socket.write('one');
  assert.equal(String(await take(socket, 3)), 'one');
  socket.end('the end');
  assert.equal(await text(socket), 'the end');
  echo.server.close();
  assert.match(String(await tunnel('127.0.0.1:1')), /^502 127\.0\.0\.1:1 .*refused/);
  assert.match(String(await tunnel('[::ffff:169.254.169.254]:80')), /^403 .*credentials/);
  assert.match(String(await tunnel('nothing')), /^400 CONNECT needs HOST:PORT/);
});

test('an upgrade by a plain request, as WebSockets may come', async () => {
  const request = http.request({
    host: '127.0.0.1',
    port,
    path: `http://127.0.0.1:${sitePort}/chat`,
    headers: { Connection: 'Upgrade', Upgrade: 'parrot' },
  });
  request.end();
  const [response, socket, head] = (await once(request, 'upgrade')) as [
    http.IncomingMessage,
    net.Socket,
    Buffer,
  ];
  socket.unshift(head);
  assert.equal(response.headers.upgrade, 'parrot');
  assert.equal(String(await take(socket, 6)), '/chat ');
  socket.end('hello');
  assert.equal(await text(socket), 'hello');
});

test('curl: plain, CONNECT, upload', async ({ skip }) => {
  if ((await curlVersion()) === undefined) skip('there is no curl');
  const url = `http://127.0.0.1:${sitePort}/x`;
  const way = ['--proxy', `http://127.0.0.1:${port}`];
  assert.equal((await curl(url, ...way)).stdout, 'GET /x ');
  assert.equal((await curl(url, ...way, '--proxytunnel')).stdout, 'GET /x ');
  assert.equal((await curl(url, ...way, '--data', 'abc')).stdout, 'POST /x abc');
  assert.equal((await curl(url, ...way, '--head', '--fail')).code, 0);
});

test('the PAC file names both proxies', async () => {
  const { body, headers } = await ask('/proxy.pac');
  assert.equal(headers['content-type'], 'application/x-ns-proxy-autoconfig');
  const context = vm.createContext({ shExpMatch: () => false });
  vm.runInContext(body, context);
  const socks = `127.0.0.1:${running.socks?.port}`;
  assert.equal(
    vm.runInContext("FindProxyForURL('http://db.corp/', 'db.corp')", context),
    `SOCKS5 ${socks}; SOCKS ${socks}; PROXY 127.0.0.1:${port}`,
  );
  assert.equal(vm.runInContext("FindProxyForURL('', 'localhost')", context), 'DIRECT');
});

test('an answer that breaks off breaks off here', async () => {
  const half = net.createServer((socket) => {
    // Once the request is read: closing over unread bytes would take back what was sent.
    socket.once('data', () =>
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf', () => socket.end()),
    );
  });
  half.listen(0, '127.0.0.1');
  await once(half, 'listening');
  await assert.rejects(ask(`http://127.0.0.1:${(half.address() as AddressInfo).port}/`), /aborted/);
  half.close();
});

test.run();

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import { connect, ElsewhereError, serve } from '../../src/index.ts';
import { suite } from '../kit/suite.ts';

const test = suite('session/serve');

test('by default a random token, ws, on loopback', async () => {
  await using one = await serve();
  await using two = await serve();
  assert.match(one.url, /^ws:\/\/127\.0\.0\.1:\d+\/#[\w-]{43}$/);
  assert.notEqual(one.token, two.token);
});

for (const listen of [
  'ws://127.0.0.1:0',
  'ws://[::1]:0',
  'tcp://127.0.0.1:0',
  `unix:/tmp/elsewhere-serve-${process.pid}.sock`,
]) {
  test(`serves on ${listen}`, async () => {
    const server = await serve({ listen });
    const conn = await connect(server.url);
    assert.equal(conn.peer.pid, process.pid);
    assert.ok((await conn.ping()) > 0);
    assert.equal(server.connections.length, 1);
    await conn.close();
    assert.equal((await conn.closed) instanceof ElsewhereError, true);
    await server.close();
  });
}

test('refuses addresses that others can reach, and short tokens', async () => {
  await assert.rejects(serve({ listen: 'ws://0.0.0.0:0' }), {
    code: 'ERR_ELSEWHERE_DENIED',
    message: /without TLS/,
  });
  await assert.rejects(serve({ token: 'short' }), {
    code: 'ERR_ELSEWHERE_ARGUMENT',
    message: /shorter than 16/,
  });
});

test('an address in use is told with its cause', async () => {
  await using server = await serve({ listen: 'tcp://127.0.0.1:0' });
  await assert.rejects(serve({ listen: server.url.replace(/#.*/, '') }), (error: Error) => {
    assert.match(error.message, /cannot listen on tcp:.*EADDRINUSE/);
    return true;
  });
});

test('without classic mode no code of clients runs', async () => {
  await using server = await serve({ classic: false });
  const conn = await connect(server.url);
  await assert.rejects(conn.eval('1'), { code: 'ERR_ELSEWHERE_DENIED' });
  await assert.rejects(
    conn.run(() => 1),
    { code: 'ERR_ELSEWHERE_DENIED' },
  );
  await conn.close();
});

test('eval, execute and run', async () => {
  await using server = await serve();
  const conn = await connect(server.url);
  assert.equal(await conn.eval('6 * 7'), 42);
  assert.equal(await conn.eval("await Promise.resolve('later')"), 'later');
  assert.equal(await conn.eval("require('node:path').sep"), '/');
  await conn.execute('namespace.x = [1, new Map([[1, 2]])]');
  assert.deepEqual(await conn.eval('x'), [1, new Map([[1, 2]])]);
  assert.equal(await conn.run((a: number, b: number) => a + b, 1, 2), 3);
  await assert.rejects(conn.eval('missing'), {
    name: 'ReferenceError',
    message: 'missing is not defined',
  });
  await assert.rejects(conn.eval('}{'), SyntaxError);
  await conn.close();
});

/** The status of a WebSocket handshake with these headers. */
async function handshake(
  url: string,
  headers: Record<string, string>,
  path = '/',
): Promise<number> {
  const { port } = new URL(url);
  const upgrade = {
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Version': '13',
  };
  const client = request({
    port,
    host: '127.0.0.1',
    path,
    headers: { Host: `127.0.0.1:${port}`, ...upgrade, ...headers },
  }).end();
  const [answer, socket] = await Promise.race([once(client, 'response'), once(client, 'upgrade')]);
  socket?.destroy();
  client.destroy();
  return answer.statusCode as number;
}

test('web pages and rebound names cannot reach it', async () => {
  await using server = await serve();
  const { port } = new URL(server.url);
  assert.equal(await handshake(server.url, {}), 101);
  assert.equal(await handshake(server.url, { Host: `localhost:${port}` }), 101);
  assert.equal(await handshake(server.url, { Host: '127.0.0.1:1' }), 101, 'behind ssh -L');
  for (const origin of [
    'https://evil.example',
    'null',
    'file://',
    `http://localhost:${port}`,
    'http://127.0.0.1.evil.example',
  ]) {
    assert.equal(await handshake(server.url, { Origin: origin }), 403, origin);
  }
  for (const host of [
    'attacker.example',
    `attacker.example:${port}`,
    `localhost.attacker.example:${port}`,
    `127.0.0.1.:${port}`,
  ]) {
    assert.equal(await handshake(server.url, { Host: host }), 403, host);
  }
  assert.equal(await handshake(server.url, {}, '/other'), 403);
});

test('a browser that just looks gets a line of text and no CORS headers', async () => {
  await using server = await serve();
  const answer = await fetch(server.url.replace(/^ws:/, 'http:').replace(/#.*/, ''));
  assert.equal(answer.status, 426);
  assert.match(await answer.text(), /elsewhere agent/);
  assert.equal(answer.headers.get('access-control-allow-origin'), null);
});

test.run();

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, connect as dial, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from '../../src/index.ts';
import { startAgent, type TestAgent } from '../kit/agent.ts';
import { suite } from '../kit/suite.ts';

const test = suite('session/bad-input');
let agent: TestAgent;

test.before(async () => {
  agent = await startAgent({ listen: 'tcp://127.0.0.1:0' });
});
test.after(() => agent.stop());

for (const [url, pattern] of [
  ['http://127.0.0.1:1/', /no URL of an agent.*ws:/],
  ['127.0.0.1:4000', /no URL of an agent/],
  ['ws://127.0.0.1/', /no port/],
  ['ws://user:secret@127.0.0.1:1/', /belongs behind #/],
  ['unix:', /needs a path/],
] as const) {
  test(`the URL ${url} is refused with what is wrong`, async () => {
    await assert.rejects(connect(`${url}#some-token-of-16-chars`), {
      name: 'ElsewhereError',
      code: 'ERR_ELSEWHERE_ARGUMENT',
      message: pattern,
    });
  });
}

test('no token is told before anything is dialled', async () => {
  await assert.rejects(connect('tcp://127.0.0.1:1'), {
    code: 'ERR_ELSEWHERE_AUTH',
    message: /no token/,
  });
});

test('an agent that is not running', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  for (const url of [`tcp://127.0.0.1:${port}#x`, `ws://127.0.0.1:${port}/#x`]) {
    await assert.rejects(connect(url), (error: Error & { code: string }) => {
      assert.equal(error.code, 'ERR_ELSEWHERE_CONNECT');
      assert.match(error.message, /connection refused; start one there with `elsewhere serve`/);
      assert.equal((error.cause as NodeJS.ErrnoException).code, 'ECONNREFUSED');
      return true;
    });
  }
  await assert.rejects(connect('unix:/nowhere/agent.sock#x'), {
    code: 'ERR_ELSEWHERE_CONNECT',
    message: /no such socket/,
  });
});

test('a wrong token is one clear line on both sides, and the agent goes on', async () => {
  const wrong = agent.url.replace(/#.*/, '#wrong-wrong-wrong-wrong');
  await assert.rejects(connect(wrong), { code: 'ERR_ELSEWHERE_AUTH', message: /wrong token/ });
  await sleep(50);
  assert.match(agent.stderr(), /refused 127\.0\.0\.1:\d+: wrong token/);
  const conn = await connect(agent.url);
  assert.equal(conn.peer.pid, agent.process.pid);
  await conn.close();
});

test('something that is no agent', async () => {
  const http = createHttpServer((_request, response) => response.end('hello')).listen(
    0,
    '127.0.0.1',
  );
  await once(http, 'listening');
  const { port } = http.address() as AddressInfo;
  await assert.rejects(connect(`ws://127.0.0.1:${port}/#x`), {
    code: 'ERR_ELSEWHERE_CONNECT',
    message: /HTTP 200/,
  });
  await assert.rejects(
    connect(`tcp://127.0.0.1:${port}#x`, { timeout: 2000 }),
    /looks like HTTP|did not finish the handshake/,
  );
  http.close();
  const silent = createServer(() => undefined).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const address = silent.address() as AddressInfo;
  await assert.rejects(connect(`tcp://127.0.0.1:${address.port}#x`, { timeout: 200 }), {
    code: 'ERR_ELSEWHERE_TIMEOUT',
    message: /did not answer within 0.2 s/,
  });
  silent.close();
});

/** What the agent's port does to a client that sends these bytes first. */
async function speak(bytes: Uint8Array): Promise<string> {
  const port = Number(new URL(agent.url.replace(/^tcp:/, 'http:')).port);
  const socket: Socket = dial(port, '127.0.0.1');
  let answer = '';
  socket.on('data', (chunk) => (answer += chunk.toString('latin1')));
  socket.on('error', () => undefined);
  socket.write(bytes);
  await once(socket, 'close');
  return answer;
}

const packet = (kind: number, body: string): Buffer => {
  const header = Buffer.alloc(5);
  header.writeUInt32LE(Buffer.byteLength(body) + 1);
  header[4] = kind;
  return Buffer.concat([header, Buffer.from(body)]);
};
const HELLO = {
  name: 'elsewhere',
  version: 1,
  nonce: 'n'.repeat(32),
  session: 'a'.repeat(32),
  lane: 'main',
};

for (const [what, bytes, said] of [
  ['HTTP', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'), /looks like HTTP/],
  ['TLS', Buffer.from([22, 3, 1, 0, 200, 1, 0, 0]), /looks like TLS/],
  ['SSH', Buffer.from('SSH-2.0-OpenSSH_9.2\r\n'), /looks like SSH/],
  ['an oversized frame', Buffer.from([0xff, 0xff, 0xff, 0x7f, 2]), /at most 4096/],
  ['an unknown kind', packet(99, 'x'), /unknown kind 99/],
  [
    'a call before it is authenticated',
    packet(16, '\x91'),
    /does not speak the elsewhere protocol/,
  ],
  [
    'another version',
    packet(2, JSON.stringify({ ...HELLO, version: 999 })),
    /speaks version 999 of the protocol and this side version 1/,
  ],
  ['no JSON', packet(2, '{{{'), /does not speak/],
  ['a hello of odd types', packet(2, JSON.stringify({ ...HELLO, session: 7 })), /does not speak/],
] as const) {
  test(`a client that sends ${what} is told why and cut off, and the agent is unharmed`, async () => {
    const before = agent.stderr().length;
    await speak(bytes);
    // Its standard error comes by another way than its answer.
    await sleep(50);
    assert.match(agent.stderr().slice(before), said);
    assert.equal(agent.stderr().slice(before).trim().split('\n').length, 1, 'one line');
    const conn = await connect(agent.url);
    await conn.ping();
    await conn.close();
  });
}

test('an agent killed in the middle fails what is pending and closes the connection', async () => {
  const own = await startAgent();
  const conn = await connect(own.url);
  const lost: Error[] = [];
  conn.on('lost', (error) => lost.push(error));
  const failed = assert.rejects(conn.eval('new Promise(() => {})'), {
    code: 'ERR_ELSEWHERE_CONNECTION_LOST',
    maybeExecuted: true,
  });
  await conn.ping();
  const started = performance.now();
  await own.stop('SIGKILL');
  await failed;
  assert.ok(performance.now() - started < 1000);
  await assert.rejects(conn.eval('1'), { code: 'ERR_ELSEWHERE_CLOSED' });
  assert.equal(conn.state, 'closed');
  assert.equal(lost.length, 1);
  await conn.close();
});

test('connect can be aborted, and times out', async () => {
  await assert.rejects(connect(agent.url, { signal: AbortSignal.abort() }), { name: 'AbortError' });
});

test('the token is in no argument list', async () => {
  const { readFileSync } = await import('node:fs');
  const token = agent.url.split('#')[1] as string;
  const cmdline = readFileSync(`/proc/${agent.process.pid}/cmdline`, 'utf8');
  assert.ok(!cmdline.includes(token));
});

test.run();

/** Dialling for blocking calls, apart from what the conformance suite of the sync lane shows. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import { createInterface } from 'node:readline';
import { BlockingDialler } from '../../src/connection/blocking-open.ts';
import { connectBlocking } from '../../src/service/connect.ts';
import { parseEndpoint } from '../../src/transport/endpoint.ts';
import type { HostEndpoint } from '../../src/transport/transport.ts';
import { startAgent } from '../kit/agent.ts';
import { authority, agent as certificate } from '../kit/certificates.ts';
import { suite } from '../kit/suite.ts';

const test = suite('connection/blocking-open', { limit: 30_000 });
const hasIPv6 = Object.values(networkInterfaces())
  .flatMap((list) => list ?? [])
  .some(({ address }) => address === '::1');

for (const listen of ['ws://127.0.0.1:0', 'ws://[::1]:0']) {
  test(`localhost finds an agent on ${listen}`, async ({ skip }) => {
    if (listen.includes('[') && !hasIPv6) skip('this machine has no IPv6');
    const agent = await startAgent({ listen });
    const url = agent.url.replace(/127\.0\.0\.1|\[::1\]/, 'localhost');
    const conn = connectBlocking(url);
    assert.equal(conn.peer.pid, agent.process.pid);
    await conn.close();
    await agent.stop();
  });
}

test('nobody there: one clear error, for each kind', () => {
  for (const url of ['ws://127.0.0.1:1/', 'tcp://[::1]:1/', 'ws://localhost:1/', 'unix:/nowhere']) {
    for (const prefer of ['socket', 'worker'] as const) {
      assert.throws(
        () => connectBlocking(`${url}#a-token-of-some-length`, { sync: prefer }),
        { code: 'ERR_ELSEWHERE_CONNECT', message: /no elsewhere agent at / },
        `${url} by ${prefer}`,
      );
    }
  }
});

test('a wrong token is told by both', async () => {
  const agent = await startAgent();
  for (const sync of ['socket', 'worker'] as const)
    assert.throws(() => connectBlocking(agent.url, { sync, token: 'another-token-than-its' }), {
      code: 'ERR_ELSEWHERE_AUTH',
    });
  await agent.stop();
});

test('something else listens there: told, not hung', async () => {
  // A process of its own: this one is blocked while it dials.
  const script = `require('node:net').createServer((s) => s.end('HTTP/1.1 200 OK\\r\\n\\r\\nhello\\n'))
    .listen(0, '127.0.0.1', function () { console.log(this.address().port); });`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [port] = (await once(child.stdout, 'data')) as [Buffer];
  for (const scheme of ['ws', 'tcp'])
    assert.throws(() => connectBlocking(`${scheme}://127.0.0.1:${Number(String(port))}/#x`), {
      code: /ERR_ELSEWHERE_(CONNECT|PROTOCOL|CONNECTION_LOST)/,
    });
  child.kill();
  await once(child, 'exit');
});

test('a link of a worker that has failed goes on failing', () => {
  const dialler = new BlockingDialler({ timeout: 1000, prefer: 'worker' });
  const link = dialler.open(parseEndpoint('ws://127.0.0.1:1', 'listen'));
  for (let i = 0; i < 2; i++)
    assert.throws(() => link.receive(), { code: 'ERR_ELSEWHERE_CONNECT' });
  link.close();
  dialler.close();
});

test('one thread dials all links of TLS, and only the first with certificates', async () => {
  // Threads of earlier tests are told of now.
  await new Promise((resolve) => setImmediate(resolve));
  let threads = 0;
  const count = (): void => void threads++;
  process.on('worker', count);
  // A process of its own: this one is blocked while it dials.
  const script = `const { cert, key } = JSON.parse(process.argv[1]);
    const server = require('node:tls').createServer({ cert, key }, (socket) => {
      console.log(socket.isSessionReused());
      socket.on('error', () => undefined).write(Buffer.of(2, 0, 0, 0, 1, 7));
    });
    server.listen(0, '127.0.0.1', () => console.log(server.address().port));`;
  const child = spawn(process.execPath, ['-e', script, JSON.stringify(certificate)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const port = (await lines.next()).value as string;
  const endpoint = parseEndpoint(`tls://127.0.0.1:${port}`, 'listen') as HostEndpoint;
  const dialler = new BlockingDialler({ timeout: 10_000 });
  const reused: unknown[] = [];
  for (let i = 0; i < 3; i++) {
    const link = dialler.open({ ...endpoint, tls: { ca: authority } });
    assert.deepEqual([...link.receive().body], [7]);
    link.close();
    reused.push((await lines.next()).value);
  }
  process.off('worker', count);
  assert.deepEqual(reused, ['false', 'true', 'true']);
  assert.equal(threads, 1);
  dialler.close();
  child.kill();
  await once(child, 'exit');
});

test.run();

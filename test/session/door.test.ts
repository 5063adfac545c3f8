/** Who stands before the agent: what was overheard is worth nothing, and local users do not reach its socket. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync, symlinkSync, unlinkSync } from 'node:fs';
import { type AddressInfo, createServer, connect as dial } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, serve, withRemote } from '../../src/index.ts';
import { startAgent } from '../kit/agent.ts';
import { suite } from '../kit/suite.ts';

const test = suite('session/door', { limit: 30_000 });

test('what a client once sent lets nobody in again', async () => {
  await using server = await serve({ listen: 'tcp://127.0.0.1:0' });
  const { port } = new URL(server.url.replace('tcp:', 'http:'));
  const heard: Buffer[] = [];
  const between = createServer((near) => {
    const far = dial(Number(port), '127.0.0.1');
    near.on('data', (bytes) => heard.push(bytes)).pipe(far);
    far.on('error', () => undefined).pipe(near.on('error', () => undefined));
  }).listen(0, '127.0.0.1');
  await once(between, 'listening');
  const through = (between.address() as AddressInfo).port;
  const conn = await connect(server.url.replace(`:${port}`, `:${through}`));
  await conn.eval('1');
  await conn.close();
  between.close();
  assert.ok(Buffer.concat(heard).length > 200);

  const refused = new Promise<Error & { code?: string }>((resolve) => {
    server.on('refused', (_remote, error) => resolve(error));
  });
  const again = dial(Number(port), '127.0.0.1');
  again.on('error', () => undefined).resume();
  again.write(Buffer.concat(heard));
  assert.equal((await refused).code, 'ERR_ELSEWHERE_AUTH');
  if (!again.closed) await once(again, 'close');
  assert.equal(server.connections.length, 0);
});

test('a unix socket is its owner’s, and takes the place of nothing else', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'elsewhere-door-'));
  const path = join(folder, 'agent.sock');
  symlinkSync(join(folder, 'target'), path);
  await assert.rejects(serve({ listen: `unix:${path}` }), {
    code: 'ERR_ELSEWHERE_CONNECT',
    message: /something else at that path/,
  });
  assert.equal(existsSync(join(folder, 'target')), false);
  unlinkSync(path);
  await using server = await serve({ listen: `unix:${path}` });
  assert.ok(server.url.includes(path));
  assert.equal(statSync(path).mode & 0o777, 0o600);
  rmSync(folder, { recursive: true });
});

test('what a client names does not write lines of the agent’s log, nor drive its terminal', async () => {
  const agent = await startAgent({ args: ['--trace'] });
  const conn = await connect(agent.url);
  const name = 'a\n2026 all is well\u001b]0;owned\u0007\u202e';
  await withRemote(conn, async () => {
    const fs = await import('node:fs');
    await assert.rejects(fs.promises.readFile(name), { code: 'ENOENT' });
  });
  await conn.close();
  await agent.stop();
  const said = agent.stderr();
  assert.match(said, /owned/);
  assert.doesNotMatch(said.replaceAll('\n', ''), /[\p{Cc}\u202e]/u);
  for (const line of said.split('\n')) assert.doesNotMatch(line, /^2026/);
});

test.run();

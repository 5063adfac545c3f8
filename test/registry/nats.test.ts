/** The registry on NATS, with a server of its own. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, discover, listServices, Service, serve, watch } from '../../src/index.ts';
import { suite } from '../kit/suite.ts';

const test = suite('registry/nats', { limit: 20_000 });
const folder = mkdtempSync(join(tmpdir(), 'elsewhere-nats-'));
let nats: ChildProcess | undefined;
let registry = '';

class Calc extends Service {
  static override exposed = ['add'] as const;
  add(a: number, b: number): number {
    return a + b;
  }
}

test.before(async ({ skip }) => {
  if (spawnSync('nats-server', ['--version']).status !== 0)
    skip('the program nats-server is not there');
  for (const name of ['@nats-io/transport-node', '@nats-io/kv'])
    await import(name).catch(() => skip(`the package ${name} is not installed`));
  const port = await freePort();
  nats = spawn('nats-server', ['-js', '-a', '127.0.0.1', '-p', String(port), '-sd', folder], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  for await (const chunk of nats.stderr ?? []) {
    said += String(chunk);
    if (said.includes('Server is ready')) break;
  }
  registry = `nats://127.0.0.1:${port}/test?lease=1`;
});
test.after(async () => {
  if (nats !== undefined) {
    nats.kill();
    await once(nats, 'exit');
  }
  rmSync(folder, { recursive: true, force: true });
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

test('the same as with our own: found by name, gone with its server, forgotten when it is not renewed', async () => {
  const choice = { registry };
  const seen: string[] = [];
  const stop = new AbortController();
  const watched = (async () => {
    for await (const { type, endpoint } of watch('calc', { ...choice, signal: stop.signal }))
      seen.push(`${type} ${endpoint.url}`);
  })();
  const until = async (length: number): Promise<void> => {
    while (seen.length < length) await new Promise((resolve) => setTimeout(resolve, 10));
  };
  const one = await serve({ service: Calc, register: { name: 'CALC', ...choice } });
  await until(1);
  const two = await serve({ service: Calc, register: { name: 'Calc', ...choice } });
  await until(2);
  assert.deepEqual(
    (await discover('calc', choice)).map(({ url }) => url),
    [two.url, one.url],
  );
  const conn = await connect<Calc>('elsewhere:CALC', choice);
  assert.equal(await conn.root.add(1, 2), 3);
  await conn.close();
  await two.close();
  await until(3);
  assert.equal((await listServices(choice)).length, 1, 'renewed, or it would be gone by now');
  // One that nobody renews.
  const { openDirectory } = await import('../../src/registry/directory.ts');
  const directory = await openDirectory(registry);
  await directory.put({ name: 'CALC', url: 'ws://127.0.0.1:1/', hostname: 'x', pid: 1, tags: [] });
  await directory.close();
  await until(5);
  assert.deepEqual(seen, [
    `added ${one.url}`,
    `added ${two.url}`,
    `removed ${two.url}`,
    'added ws://127.0.0.1:1/',
    'removed ws://127.0.0.1:1/',
  ]);
  stop.abort();
  await assert.rejects(watched, { name: 'AbortError' });
  await one.close();
  assert.deepEqual(await discover('CALC', choice), []);
});

test('a NATS that is not there is told', async () => {
  await assert.rejects(
    listServices({ registry: 'nats://user:secret@127.0.0.1:1' }),
    (error: Error & { code: string }) => {
      assert.equal(error.code, 'ERR_ELSEWHERE_CONNECT');
      assert.doesNotMatch(error.message, /secret/);
      return true;
    },
  );
});

test.run();

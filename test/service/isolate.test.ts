// A process for each client: over each kind of link, for classic mode, services, patches and far servers.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs, { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type ServeOptions, serve, withRemote } from '../../src/index.ts';
import { startAgent, type TestAgent } from '../kit/agent.ts';
import { authority, tlsArguments } from '../kit/certificates.ts';
import { type Chaos, startChaos } from '../kit/chaos.ts';
import { suite } from '../kit/suite.ts';
import type { Calc } from './fixtures/calc.ts';

const test = suite('service/isolate', { limit: 60_000, fileLimit: 120_000 });
const service = new URL('./fixtures/calc.js', import.meta.url);
const folder = realpathSync(mkdtempSync(join(tmpdir(), 'elsewhere-isolate-')));
test.after(() => rmSync(folder, { recursive: true, force: true }));

const isolated = (options: ServeOptions = {}) => serve({ isolate: 'process', ...options });

function isAlive(pid: number): boolean {
  try {
    // A zombie is one that its parent has not heard of yet.
    return !/^\d+ \(.*\) [ZX]/.test(fs.readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}

async function gone(pid: number): Promise<void> {
  while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 5));
}

async function withChaos(agent: TestAgent, use: (url: string, chaos?: Chaos) => Promise<void>) {
  if (agent.url.startsWith('unix:')) return use(agent.url);
  const url = new URL(agent.url);
  const chaos = await startChaos({ target: Number(url.port), seed: 3, life: 0 });
  url.port = String(chaos.port);
  await use(url.href, chaos).finally(() => chaos.close());
}

for (const listen of ['wss://127.0.0.1:0', 'tcp://127.0.0.1:0', `unix:${folder}/agent.sock`]) {
  const scheme = listen.slice(0, listen.indexOf(':'));
  const [args, tls] = scheme === 'wss' ? [tlsArguments(), { tls: { ca: authority } }] : [[], {}];
  test(`${scheme}: two clients, two processes, nothing shared, also over links that are cut`, async () => {
    const agent = await startAgent({ listen, args: ['--isolate', ...args] });
    await withChaos(agent, async (url, chaos) => {
      const [one, other] = await Promise.all([connect(url, tls), connect(url, tls)]);
      assert.equal(new Set([agent.process.pid, one.peer.pid, other.peer.pid]).size, 3);
      await Promise.all([one, other].map((conn) => conn.execute('globalThis.count = 0')));
      await one.execute('globalThis.mine = 5; process.chdir("/")');
      assert.deepEqual(await other.eval('[typeof mine, process.cwd()]'), [
        'undefined',
        agent.folder,
      ]);
      for (let round = 1; round <= 3; round++) {
        chaos?.cut();
        const calls = [one, other].map((conn) => conn.eval('[process.pid, ++count]'));
        const expected = [one, other].map((conn) => [conn.peer.pid, round]);
        assert.deepEqual(await Promise.all(calls), expected);
        // The lane of blocking calls leads to the same process.
        assert.equal(one.sync.modules.process.pid, one.peer.pid);
      }
      const file = join(folder, 'file');
      withRemote(one, () => fs.writeFileSync(file, 'a'.repeat(3_000_000)));
      assert.equal(withRemote(one, () => fs.readFileSync(file)).length, 3_000_000);
      const web = withRemote(one, { stdio: 'local' }, () =>
        http.createServer((_request, response) => response.end('here')).listen(0, '127.0.0.1'),
      );
      await once(web, 'listening');
      const { port } = web.address() as AddressInfo;
      assert.equal(await (await fetch(`http://127.0.0.1:${port}`)).text(), 'here');
      web.close();
      await Promise.all([one.close(), other.close()]);
    });
    await agent.stop();
  });
}

test('the service and its interceptor are each process’s own', async () => {
  await using server = await isolated({ service });
  await using one = await connect<Calc>(server.url);
  await using other = await connect<Calc>(server.url);
  assert.equal(server.connections.length, 2);
  assert.equal(await one.root.pid, one.peer.pid);
  assert.equal(await one.root.add(1, 2), 3);
  assert.equal(await one.root.calls, 11);
  assert.equal(await other.root.calls, 0);
  assert.equal(await one.root.twice(async (x) => x * 10), 30);
});

test('one that is killed, or busy for good, leaves the others; maxConnections counts clients', async () => {
  const server = await isolated({ service, maxConnections: 2 });
  const one = await connect<Calc>(server.url);
  await using other = await connect<Calc>(server.url);
  await assert.rejects(connect(server.url), { code: 'ERR_ELSEWHERE_LIMIT' });
  const lost = new Promise<Error>((resolve) => one.on('lost', resolve));
  const pending = one.eval('new Promise(() => {})');
  const left = new Promise((resolve) => server.on('disconnect', resolve));
  process.kill(one.peer.pid, 'SIGSEGV');
  await assert.rejects(pending, { code: 'ERR_ELSEWHERE_CONNECTION_LOST' });
  const reason = await lost;
  assert.match(`${reason.message} ${(reason.cause as Error | undefined)?.message}`, /SIGSEGV/);
  await left;
  assert.equal(server.connections.length, 1);
  // There is room for another one, which never answers again.
  const third = await connect<Calc>(server.url);
  third.root.spin().catch(() => undefined);
  for (let i = 0; i < 20; i++) assert.equal(await other.root.add(i, 1), i + 1);
  await server.close();
  assert.ok(!isAlive(third.peer.pid));
  assert.ok(!isAlive(other.peer.pid));
  await third.close();
});

test('SIGTERM: the agent lets calls under way finish, then its processes are gone', async () => {
  const agent = await startAgent({ args: ['--isolate'] });
  const conn = await connect(agent.url);
  const { pid } = conn.peer;
  assert.notEqual(pid, agent.process.pid);
  await conn.execute('globalThis.begun = true');
  const call = conn.eval('new Promise((resolve) => setTimeout(resolve, 300, "finished"))');
  await conn.ping();
  const ended = agent.stop();
  assert.equal(await call, 'finished');
  await ended;
  assert.ok(!isAlive(pid));
  await conn.close();
});

test('a process ends with its client; an agent that is killed leaves none behind', async () => {
  const agent = await startAgent({ args: ['--isolate'] });
  const [one, other] = await Promise.all([connect(agent.url), connect(agent.url, { grace: 0 })]);
  await one.close();
  await gone(one.peer.pid);
  await agent.stop('SIGKILL');
  await gone(other.peer.pid);
  await other.close();
});

test('what verify grants goes along; what cannot be had in another process is refused', async () => {
  await using server = await isolated({
    service,
    auth: { verify: () => ({ level: 3, since: new Date(0) }) },
  });
  await using conn = await connect<Calc>(server.url);
  assert.deepEqual(await conn.root.granted, { level: 3, since: new Date(0) });
  await using bad = await isolated({ auth: { verify: () => () => 1 } });
  const refused = new Promise<Error>((resolve) =>
    bad.on('refused', (_remote, why) => resolve(why)),
  );
  await assert.rejects(connect(bad.url));
  assert.match((await refused).message, /must be plain data/);
  const argument = { code: 'ERR_ELSEWHERE_ARGUMENT' };
  await assert.rejects(isolated({ service: { add: () => 1 } }), argument);
  await assert.rejects(isolated({ service, intercept: (_call, next) => next() }), argument);
  await assert.rejects(isolated({ service, jsonRpc: true }), argument);
  await using broken = await isolated({ service: new URL('file:///nowhere.js') });
  const left = new Promise((resolve) => broken.on('disconnect', resolve));
  await assert.rejects(connect(broken.url), /nowhere/);
  await left;
  assert.equal(broken.connections.length, 0);
});

test('the URL of a module is a service of this process too', async () => {
  await using server = await serve({ service });
  await using conn = await connect<Calc>(server.url);
  assert.equal(await conn.root.pid, process.pid);
  assert.equal(await conn.root.add(2, 2), 4);
});

test.run();

import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import {
  connect,
  discover,
  listServices,
  type Server,
  Service,
  serve,
  serveRegistry,
  watch,
} from '../../src/index.ts';
import type { RegistryEvent } from '../../src/registry/registry.ts';
import { elsewhere, startAgent, type TestAgent } from '../kit/agent.ts';
import { suite } from '../kit/suite.ts';

const test = suite('registry/registry', { limit: 60_000, fileLimit: 120_000 });
let registry: Server;

class Calc extends Service {
  static override exposed = ['add'] as const;
  add(a: number, b: number): number {
    return a + b;
  }
}

test.before(async () => {
  registry = await serveRegistry({ lease: 1500 });
});
test.after(() => registry.close());

test('a service is found by name, and is gone when its server is', async () => {
  const choice = { registry: registry.url };
  const register = { name: 'CALC', ...choice };
  const one = await serve({ service: Calc, register });
  const two = await serve({ service: Calc, register });
  assert.deepEqual(
    (await discover('calc', choice)).map(({ url }) => url),
    [two.url, one.url],
  );
  const conn = await connect<Calc>('elsewhere:CALC', choice);
  assert.equal(await conn.root.add(1, 2), 3);
  await conn.close();
  await two.close();
  assert.equal((await listServices(choice)).length, 1);
  const { stdout } = await elsewhere(['registry', 'list', registry.url]);
  assert.match(stdout, /^CALC {2}\S+ {2}\d+ {2}ws:/);
  assert.ok(!stdout.includes(one.token));
  await one.close();
  assert.deepEqual(await listServices(choice), []);
  await assert.rejects(connect('elsewhere:CALC', choice), {
    code: 'ERR_ELSEWHERE_CONNECT',
    message: /nobody has registered it/,
  });
});

test('a watch tells of what is there, what comes, what goes, and what vanishes', async () => {
  const choice = { registry: registry.url };
  const first = await serve({ service: Calc, register: { name: 'SEEN', ...choice } });
  const seen: string[] = [];
  const stop = new AbortController();
  const watched = (async () => {
    for await (const { type, endpoint } of watch('seen', { ...choice, signal: stop.signal }))
      seen.push(`${type} ${endpoint.url}`);
  })();
  const until = async (length: number): Promise<void> => {
    while (seen.length < length) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  await until(1);
  const second = await serve({ service: Calc, register: { name: 'Seen', ...choice } });
  const other = await serve({ service: Calc, register: { name: 'OTHER', ...choice } });
  await until(2);
  await first.close();
  await until(3);
  // Nobody renews this one.
  const keeper = await connect<{ register(entry: object): void }>(registry.url);
  await keeper.root.register({
    name: 'SEEN',
    url: 'ws://127.0.0.1:1/',
    hostname: 'x',
    pid: 1,
    tags: [],
  });
  await until(5);
  stop.abort();
  await assert.rejects(watched, { name: 'AbortError' });
  assert.deepEqual(seen, [
    `added ${first.url}`,
    `added ${second.url}`,
    `removed ${first.url}`,
    'added ws://127.0.0.1:1/',
    'removed ws://127.0.0.1:1/',
  ]);
  await Promise.all([second.close(), other.close(), keeper.close()]);
});

test('commands take elsewhere:NAME', async () => {
  const agent = await startAgent();
  const keeper = await connect<{ register(entry: object): void }>(registry.url);
  const renew = (): unknown =>
    keeper.root.register({ name: 'BOX', url: agent.url, hostname: 'x', pid: 1, tags: [] });
  await renew();
  const timer = setInterval(renew, 100);
  const env = { ELSEWHERE_REGISTRY: registry.url };
  const { stdout, stderr } = await elsewhere(['exec', 'elsewhere:BOX', 'process.pid'], { env });
  assert.equal(stdout, `${agent.process.pid}\n`, stderr);
  const show = 'console.log(process.cwd())';
  const ran = await elsewhere(['run', '--on', 'elsewhere:BOX', '--', 'node', '-e', show], { env });
  assert.equal(ran.stdout, `${agent.folder}\n`, ran.stderr);
  clearInterval(timer);
  await keeper.close();
  await agent.stop();
});

/** What one watch of this name tells of an address: when it is there, and when it is gone after that. */
function follow(name: string, url: string): { added: Promise<void>; removed: Promise<void> } {
  const seen = (wanted: RegistryEvent['type']): Promise<void> =>
    new Promise((resolve) => told.on(wanted, resolve));
  const told = new EventEmitter();
  const [added, removed] = [seen('added'), seen('removed')];
  void (async () => {
    for await (const { type, endpoint } of watch(name, { registry: registry.url })) {
      if (endpoint.url === url) told.emit(type);
      if (endpoint.url === url && type === 'removed') return;
    }
  })();
  return { added, removed };
}

async function urlsOf(name: string): Promise<string[]> {
  return (await discover(name, { registry: registry.url })).map(({ url }) => url);
}

test('an entry that is not renewed is forgotten; a dead address is passed over', async () => {
  const choice = { registry: registry.url };
  const dead = 'ws://127.0.0.1:1/#0123456789abcdef';
  const keeper = await connect<{ register(entry: object): void }>(registry.url);
  await using live = await serve({ service: Calc, register: { name: 'OLD', ...choice } });
  const { added, removed } = follow('OLD', dead);
  const renew = (): unknown =>
    keeper.root.register({ name: 'OLD', url: dead, hostname: 'x', pid: 1, tags: [] });
  const timer = setInterval(renew, 100);
  await added;
  const conn = await connect<Calc>('elsewhere:old', choice);
  assert.equal(await conn.root.add(2, 2), 4);
  await conn.close();
  clearInterval(timer);
  await removed;
  // A machine that is too busy to renew in time does so later.
  let left = await urlsOf('OLD');
  while (!left.includes(live.url)) left = await urlsOf('OLD');
  assert.deepEqual(left, [live.url]);
  await assert.rejects(async () => keeper.root.register({ name: '', url: 'x' }), {
    code: 'ERR_ELSEWHERE_ARGUMENT',
  });
  await keeper.close();
});

test('serve --register; an agent that freezes is gone within its lease, and back when it goes on', async () => {
  const args = ['--register', 'BOXES', '--registry', registry.url];
  const agents = await Promise.all([startAgent({ args }), startAgent({ args })]);
  while ((await urlsOf('BOXES')).length < 2);
  // The one that is tried first.
  const [first] = await urlsOf('BOXES');
  agents.sort((one) => (one.url === first ? -1 : 1));
  const [frozen, other] = agents as [TestAgent, TestAgent];
  const { added, removed } = follow('BOXES', frozen.url);
  await added;
  frozen.process.kill('SIGSTOP');
  // Within its lease it is still listed, and holds up nobody.
  const early = await connect('elsewhere:BOXES', { registry: registry.url });
  assert.equal(early.peer.pid, other.process.pid);
  await early.close();
  await removed;
  const conn = await connect('elsewhere:BOXES', { registry: registry.url });
  assert.equal(conn.peer.pid, other.process.pid);
  await conn.close();
  const again = follow('BOXES', frozen.url);
  frozen.process.kill('SIGCONT');
  await again.added;
  await Promise.all(agents.map((agent) => agent.stop()));
  assert.deepEqual(await urlsOf('BOXES'), []);
});

test.run();

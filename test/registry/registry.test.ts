import assert from 'node:assert/strict';
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
import { elsewhere, startAgent } from '../kit/agent.ts';
import { suite } from '../kit/suite.ts';

const test = suite('registry/registry', { limit: 20_000 });
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
  await keeper.root.register({ name: 'SEEN', url: 'ws://127.0.0.1:1/', hostname: 'x', pid: 1 });
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
    keeper.root.register({ name: 'BOX', url: agent.url, hostname: 'x', pid: 1 });
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

test('an entry that is not renewed is forgotten; a dead address is passed over', async () => {
  const choice = { registry: registry.url };
  const keeper = await connect<{ register(entry: object): void }>(registry.url);
  await using live = await serve({ service: Calc, register: { name: 'OLD', ...choice } });
  await keeper.root.register({
    name: 'OLD',
    url: 'ws://127.0.0.1:1/#0123456789abcdef',
    hostname: 'x',
    pid: 1,
  });
  const conn = await connect<Calc>('elsewhere:old', choice);
  assert.equal(await conn.root.add(2, 2), 4);
  await conn.close();
  assert.equal((await discover('OLD', choice)).length, 2);
  await new Promise((resolve) => setTimeout(resolve, 1700));
  assert.deepEqual(
    (await discover('OLD', choice)).map(({ url }) => url),
    [live.url],
  );
  await assert.rejects(async () => keeper.root.register({ name: '', url: 'x' }), {
    code: 'ERR_ELSEWHERE_ARGUMENT',
  });
  await keeper.close();
});

test.run();

import assert from 'node:assert/strict';
import {
  connect,
  discover,
  listServices,
  type Server,
  Service,
  serve,
  serveRegistry,
} from '../../src/index.ts';
import { elsewhere } from '../kit/agent.ts';
import { suite } from '../kit/suite.ts';

const test = suite('registry/registry');
let registry: Server;

class Calc extends Service {
  static override exposed = ['add'] as const;
  add(a: number, b: number): number {
    return a + b;
  }
}

test.before(async () => {
  registry = await serveRegistry({ lease: 300 });
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
  await new Promise((resolve) => setTimeout(resolve, 350));
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

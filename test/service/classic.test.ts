import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect, isRemote, serve } from '../../src/index.ts';
import { startAgent, type TestAgent } from '../kit/agent.ts';
import { suite } from '../kit/suite.ts';

const test = suite('service/classic');
let agent: TestAgent;
let conn: Awaited<ReturnType<typeof connect>>;

test.before(async () => {
  agent = await startAgent();
  const folder = join(agent.folder, 'node_modules', 'payroll');
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, 'package.json'),
    '{ "name": "payroll", "type": "module", "exports": { "import": "./index.js" } }',
  );
  writeFileSync(
    join(folder, 'index.js'),
    'await null; export const getSalary = ({ last, first }) => first.length * 1000 + last.length;',
  );
  writeFileSync(join(agent.folder, 'local.cjs'), 'module.exports = { answer: 42 };');
  conn = await connect(agent.url);
});
test.after(async () => {
  await conn.close();
  await agent.stop();
});

test('modules of Node, packages and files of the far side', async () => {
  assert.equal(await conn.modules.process.pid, agent.process.pid);
  assert.equal(await conn.modules['node:path'].join('a', 'b'), 'a/b');
  const cpu: string = (await conn.modules.os.cpus())[0]?.model ?? '';
  assert.equal(typeof cpu, 'string');
  const data = await conn.modules['fs/promises'].readFile(join(agent.folder, 'local.cjs'));
  assert.match(String(data), /answer/);
  const salary: unknown = await conn.modules['payroll']?.['getSalary']?.({
    last: 'Doe',
    first: 'Jo',
  });
  assert.equal(salary, 2003);
  assert.equal(await conn.modules['./local.cjs']?.['answer'], 42);
  await assert.rejects(async () => conn.modules['nowhere']?.['x'], { code: 'MODULE_NOT_FOUND' });
  const os = await conn.import('os');
  assert.ok(isRemote(os));
  assert.equal(await os.EOL, '\n');
  const mod = await conn.import<{ getSalary(of: { last: string; first: string }): number }>(
    'payroll',
  );
  assert.equal(await mod.getSalary({ last: '', first: 'x' }), 1000);
});

test('global, and instances of its classes', async () => {
  assert.equal(await conn.global.process.pid, agent.process.pid);
  const url = await new conn.global.URL('http://a/b');
  assert.equal(String(url), 'http://a/b');
  assert.equal(await conn.global.Math.max(1, 5, 3), 5);
});

test('eval, execute and namespace: data by value, functions by reference', async () => {
  assert.equal(await conn.eval('6 * 7'), 42);
  await conn.execute('namespace.hello = (name) => "hello " + name; namespace.x = 5');
  assert.equal(await conn.namespace['hello']?.('Ada'), 'hello Ada');
  assert.equal(await conn.namespace['x'], 5);
  const hello = await conn.eval<(name: string) => string>('hello');
  assert.equal(await hello('Bob'), 'hello Bob');
  assert.equal(await conn.eval('(await import("node:path")).sep'), '/');
  await assert.rejects(conn.eval('nope.x'), { name: 'ReferenceError' });
});

test('namespaces of two clients do not mix', async () => {
  const other = await connect(agent.url);
  await conn.execute('namespace.own = 1');
  assert.equal(await other.eval('typeof own'), 'undefined');
  await other.close();
});

test('teleport: kinds of functions, captures by value and by reference', async () => {
  const tax = 3;
  const seen: number[] = [];
  const add = await conn.teleport(
    (price: number) => {
      seen.push(price);
      return price + tax;
    },
    { captures: { tax, seen: { push: (x: number) => seen.push(x) } } },
  );
  assert.equal(await add(4), 7);
  assert.deepEqual(seen, [4]);
  const object = {
    method(a: number) {
      return a * 2;
    },
    async later(a: number) {
      return a * 3;
    },
    *items(n: number) {
      for (let i = 0; i < n; i++) yield i;
    },
  };
  assert.equal(await conn.run(object.method, 4), 8);
  assert.equal(await conn.run(object.later, 4), 12);
  const items: number[] = [];
  for await (const item of (await conn.teleport(object.items))(3)) items.push(item);
  assert.deepEqual(items, [0, 1, 2]);
  const Box = await conn.teleport(
    class Box {
      value: number;
      constructor(value: number) {
        this.value = value;
      }
    } as unknown as () => unknown,
    { name: 'Box' },
  );
  assert.ok(isRemote(Box));
  assert.equal(await conn.eval('new Box(5).value'), 5);
  await conn.teleport((x: number) => x + 1, { name: 'bar' });
  // @ts-expect-error: a name of the far side's namespace.
  assert.equal(await (await conn.teleport(async (x: number) => (await bar(x)) * 2))(1), 4);
});

test('a free variable is named, with what to do', async () => {
  const outside = 1;
  await assert.rejects(
    conn.run(() => outside + 1),
    /outside is not defined on the far side.*captures: \{ outside \}/,
  );
  await assert.rejects(
    conn.run(async () => outside + 1),
    /outside is not defined on the far side/,
  );
  await assert.rejects(conn.teleport(Math.max), /max has no source to send/);
});

test('blocking: plain values, typed as the local module', async () => {
  const hostname: string = conn.sync.modules.os.hostname();
  assert.equal(hostname, await conn.modules.os.hostname());
  assert.equal(conn.sync.modules.os.EOL, '\n');
  assert.equal(
    conn.sync.modules.fs.readFileSync('local.cjs', 'utf8'),
    'module.exports = { answer: 42 };',
  );
  assert.equal(conn.sync.global.process.pid, agent.process.pid);
  assert.throws(() => conn.sync.modules.fs.readFileSync('nowhere'), {
    code: 'ENOENT',
    syscall: 'open',
  });
  const fd = conn.sync.modules.fs.openSync('local.cjs', 'r');
  assert.equal(typeof fd, 'number');
  conn.sync.modules.fs.closeSync(fd);
});

test('classic mode must be asked for where others can dial', async () => {
  process.env['ELSEWHERE_INSECURE'] = '1';
  const server = await serve({ listen: 'tcp://0.0.0.0:0', insecure: true });
  delete process.env['ELSEWHERE_INSECURE'];
  const client = await connect(server.url.replace('0.0.0.0', '127.0.0.1'));
  for (const refused of [
    () => client.eval('1'),
    () => client.execute('1'),
    () => client.run(() => 1),
    () => client.teleport(() => 1),
    async () => client.modules.os.hostname(),
    async () => client.global.process.pid,
    async () => client.namespace['x'],
  ])
    await assert.rejects(refused, { code: 'ERR_ELSEWHERE_DENIED' });
  await client.close();
  await server.close();
});

test.run();

/** Rows of RPyC's own tests that no other file here covers; docs/rpyc.md has the whole list. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import {
  type Connection,
  connect,
  connectPair,
  isRemote,
  type Reference,
  remoteReflect,
  restricted,
  Service,
  serve,
} from '../../src/index.ts';
import { repository, startAgent, type TestAgent } from '../kit/agent.ts';
import { suite } from '../kit/suite.ts';

const test = suite('service/parity');
let agent: TestAgent;
let conn: Connection;

test.before(async () => {
  agent = await startAgent();
  conn = await connect(agent.url);
});
test.after(async () => {
  await conn.close();
  await agent.stop();
});

class Shop extends Service {
  static override exposed = [
    'Item',
    'same',
    'isItem',
    'boom',
    'text',
    'view',
    'slow',
    'twice',
    'sum',
    'halves',
  ] as const;
  Item = Item;
  #item = new Item();
  isItem(value: unknown): boolean {
    return value instanceof Item;
  }
  same(): Item {
    return this.#item;
  }
  get boom(): never {
    throw Object.assign(new RangeError('abcd'), { code: 'E_BOOM' });
  }
  view(): object {
    return restricted(
      { open: 1, shut: 2, act: () => 3, hidden: () => 4 },
      { get: ['open'], set: ['shut'], call: ['act'] },
    );
  }
  async slow(ms: number): Promise<number> {
    await sleep(ms);
    return ms;
  }
  async twice(callback: (n: number) => unknown, times: number): Promise<void> {
    for (let n = 0; n < times; n++) await callback(n);
  }
  halves(array: Float32Array): Float32Array {
    return array.map((n) => n / 2);
  }
  sum(array: Float64Array): number {
    return array.reduce((a, b) => a + b, 0);
  }
}
class Item {
  static exposed = ['name'] as const;
  name = 'tea';
}

test('test_affinity, test_gevent_server: a busy client loses no reply, 50 slow calls take as long as one', async () => {
  await using server = await serve({ service: Shop, classic: false });
  const client = await connect<Shop>(server.url);
  const start = performance.now();
  const calls = Array.from({ length: 50 }, () => client.root.slow(200));
  // The thread has other work meanwhile.
  for (const until = performance.now() + 50; performance.now() < until; );
  assert.equal((await Promise.all(calls)).length, 50);
  assert.ok(performance.now() - start < 2000, 'one after the other it is 10 s');
  assert.equal(client.stats().pendingCalls, 0);
  await client.close();
});

test('test_attr_access: restricted reads, sets and calls what it lists; a getter that throws keeps its error', async () => {
  const { near, far } = await connectPair<Shop>({ service: Shop, classic: false });
  const view = (await near.root.view()) as unknown as Reference<Record<string, () => unknown>>;
  assert.equal(await view['open'], 1);
  await remoteReflect.set(view, 'shut', 5);
  assert.equal(await view['act']?.(), 3);
  for (const [use, name] of [
    ['get', 'shut'],
    ['get', 'act'],
    ['get', 'hidden'],
    ['set', 'open'],
  ] as const) {
    const used = use === 'get' ? remoteReflect.get(view, name) : remoteReflect.set(view, name, 0);
    await assert.rejects(used, { code: 'ERR_ELSEWHERE_NO_METHOD' }, `${use} ${name}`);
  }
  assert.deepEqual((await remoteReflect.ownKeys(view)).sort(), ['act', 'open']);
  await assert.rejects(async () => near.root.boom, {
    name: 'RangeError',
    message: 'abcd',
    code: 'E_BOOM',
  });
  await near.close();
  await far.close();
});

test('test_custom_service, test_magic, test_dataclass: what comes home is the object, and the proxy is one key', async () => {
  const { near, far } = await connectPair<Shop>({ service: Shop, classic: false });
  const item = await new near.root.Item();
  assert.equal(await item.name, 'tea');
  assert.equal(await near.root.isItem(item as never), true);
  const one = await near.root.same();
  const two = await near.root.same();
  assert.equal(one, two);
  const map = new Map([[one, 'x']]);
  assert.equal(map.get(two), 'x');
  assert.notEqual(one, item);
  await near.close();
  await far.close();
});

test('test_classic: the names of modules that are there, and nothing is loaded', async () => {
  assert.equal(await remoteReflect.has(conn.modules, 'node:fs'), true);
  assert.equal(await remoteReflect.has(conn.modules, 'fs'), true);
  assert.equal(await remoteReflect.has(conn.modules, 'no-such-package'), false);
});

test('test_numpy: typed arrays both ways', async () => {
  const { near, far } = await connectPair<Shop>({ service: Shop, classic: false });
  assert.equal(await near.root.sum(new Float64Array([1, 2, 3.5])), 6.5);
  assert.deepEqual(await near.root.halves(new Float32Array([1, 3])), new Float32Array([0.5, 1.5]));
  await near.close();
  await far.close();
});

test('test_rpyc_over_rpyc, test_gdb, test_get_id_pack: an agent through an agent', async () => {
  const behind = await startAgent();
  const library = JSON.stringify(join(repository, 'dist', 'index.js'));
  const middle = await conn.eval(
    `(await import(${library})).connect(${JSON.stringify(behind.url)})`,
  );
  const far = middle as unknown as Reference<Connection>;
  assert.match(inspect(far), /^\[Remote Connection #\d+ via ws:/);
  assert.equal(await far.eval('process.pid'), behind.process.pid);
  // Something of the farthest: the middle's reference, and the same one each time.
  await far.execute(
    'namespace.Box = class { constructor() { this.n = 1; } bump() { return ++this.n; } }; namespace.box = new Box()',
  );
  const box = (await far.eval('box')) as unknown as Reference<{ n: number; bump(): number }>;
  assert.ok(isRemote(box));
  assert.equal(await box.bump(), 2);
  assert.equal(await far.eval('box.n'), 2);
  assert.equal(await far.eval('box'), box);
  // It comes home as what it is.
  await far.execute('namespace.isBox = (b) => b === box');
  const { isBox } = far.namespace as unknown as Record<string, (b: unknown) => Promise<boolean>>;
  assert.equal(await isBox?.(box), true);
  await remoteReflect.set(box, 'n', 7);
  assert.equal(await far.eval('box.n'), 7);
  await far.close();
  await behind.stop();
});

test('test_threads: callbacks come while a long call is under way', async () => {
  const { near, far } = await connectPair<Shop>({ service: Shop, classic: false });
  let heard = 0;
  const long = near.root.slow(100);
  await near.root.twice(() => void heard++, 5);
  assert.equal(heard, 5);
  assert.equal(await long, 100);
  await near.close();
  await far.close();
});

test('test_urllib3: a library over there, with a plain bag of options', async () => {
  const server = createServer((request, response) =>
    response.end(`${request.headers['x-name']} ${request.method}`),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const body = await new Promise<string>((resolve, reject) => {
    const get = conn.modules.http.get as unknown as (...args: unknown[]) => Promise<unknown>;
    get(
      { port, host: '127.0.0.1', headers: { 'x-name': 'Ada' } },
      async (
        response: Reference<{ on(name: string, heard: (chunk?: Uint8Array) => void): void }>,
      ) => {
        let text = '';
        await response.on('data', (chunk) => {
          text += String(chunk);
        });
        await response.on('end', () => resolve(text));
      },
    ).catch(reject);
  });
  server.close();
  assert.equal(body, 'Ada GET');
});

test('test_ipv6: the loopback of IPv6', async ({ skip }) => {
  const server = await serve({ listen: 'tcp://[::1]:0', service: Shop }).catch(() =>
    skip('no IPv6 here'),
  );
  const client = await connect<Shop>(server.url);
  assert.equal(await client.root.slow(0), 0);
  await client.close();
  await server.close();
});

test('test_teleportation: defaults, arrows, accessors, classes, `this`', async () => {
  const plus = await conn.teleport(
    (a: number, b = 2, { c = 3 }: { c?: number } = {}, ...rest: number[]) =>
      a + b + c + rest.length,
  );
  assert.equal(await plus(1), 6);
  assert.equal(await plus(1, 5, { c: 0 } as never, 1 as never), 7);
  const nested = await conn.teleport(() => {
    const inner = (n: number): number => (n < 2 ? 1 : n * inner(n - 1));
    return inner(5);
  });
  assert.equal(await nested(), 120);
  const bare = await conn.teleport(function (this: unknown) {
    return this === undefined || this === globalThis;
  });
  assert.equal(await bare(), true);
  const holder = {
    'odd name'(x: number) {
      return x;
    },
    async *later(n: number) {
      for (let i = 0; i < n; i++) yield i;
    },
  };
  assert.equal(await conn.run(holder['odd name'], 4), 4);
  const seen: number[] = [];
  for await (const n of (await conn.teleport(holder.later))(2)) seen.push(n);
  assert.deepEqual(seen, [0, 1]);
});

test('test_oneshot_server, issue220, issue44: errors of a connection that is over, and of something else on the port', async () => {
  const { near, far } = await connectPair<Shop>({ service: Shop, classic: false });
  const slow = near.root.slow(400);
  await near.ping();
  await far.close();
  await assert.rejects(slow, { code: /^ERR_ELSEWHERE_(CONNECTION_LOST|CLOSED)$/ } as never);
  await assert.rejects(async () => near.root.slow(0), { code: /ERR_ELSEWHERE/ } as never);
  await near.close();
});

test.run();

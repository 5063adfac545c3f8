import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, connectPair, Service, type ServicePeer, serve } from '../../src/index.ts';
import { suite } from '../kit/suite.ts';

const test = suite('service/service');

class Monitor {
  static exposed = ['path', 'watch'] as const;
  path: string;
  constructor(path: string) {
    this.path = path;
  }
  async watch(changed: (what: string) => unknown): Promise<unknown> {
    return changed(`${this.path} changed`);
  }
}

class Calc extends Service {
  static override exposed = [
    'add',
    'count',
    'Monitor',
    'reads',
    'fail',
    'later',
    'kind',
    'double',
  ] as const;
  Monitor = Monitor;
  hidden = 'secret';
  log: string[] = [];
  #reads = 0;

  get reads(): number {
    return ++this.#reads;
  }
  add(a: number, b: number): number {
    return a + b;
  }
  async *count(n: number): AsyncGenerator<number> {
    for (let i = 0; i < n; i++) yield i;
  }
  fail(): never {
    throw Object.assign(new RangeError('no'), { code: 'E_NO' });
  }
  async later(ms: number): Promise<string> {
    await sleep(ms);
    return 'done';
  }
  kind(value: unknown): string {
    return `${typeof value} ${Array.isArray(value)}`;
  }
  async double(f: (x: number) => Promise<number>): Promise<number> {
    return (await f(1)) * 2;
  }
  unlisted(): number {
    return 1;
  }
  override onConnect(peer: ServicePeer): void {
    this.log.push(`+${peer.id.length}`);
  }
  override onDisconnect(_peer: ServicePeer, reason: Error): void {
    this.log.push(`-${reason.message.length > 0}`);
  }
}

test('methods, getters, generators, nested classes, callbacks, typed by the class', async () => {
  await using server = await serve({ service: Calc, classic: false });
  const conn = await connect<Calc>(server.url);
  const sum: number = await conn.root.add(1, 2);
  assert.equal(sum, 3);
  assert.equal(await conn.root.reads, 1);
  assert.equal(await conn.root.reads, 2, 'once for each time');
  const seen: number[] = [];
  for await (const n of conn.root.count(5)) seen.push(n);
  assert.deepEqual(seen, [0, 1, 2, 3, 4]);
  const monitor = new conn.root.Monitor('/etc');
  assert.equal(await monitor.path, '/etc');
  assert.equal(await monitor.watch((what) => `${what}!`), '/etc changed!');
  assert.equal(await conn.root.double((x) => x + 4), 10);
  assert.equal(await conn.root.kind([1]), 'object true');
  const error = await conn.root
    .fail()
    .catch((caught: unknown) => caught as RangeError & { code: string });
  assert.ok(error instanceof RangeError);
  assert.equal((error as unknown as { code: string }).code, 'E_NO');
  assert.doesNotMatch(error.stack ?? '', /keeper|far side/, 'no stack of the agent');
  await conn.close();
});

test('what is not listed does not exist, and reads like what is absent', async () => {
  await using server = await serve({ service: new Calc(), classic: false });
  const conn = await connect<Calc>(server.url);
  const root = conn.root as unknown as Record<string, () => Promise<unknown>>;
  for (const name of ['unlisted', 'hidden', 'log', 'onConnect', 'nowhere'])
    await assert.rejects(async () => root[name]?.(), {
      code: 'ERR_ELSEWHERE_NO_METHOD',
      message: `the other side offers no member named "${name}"`,
    });
  await assert.rejects(async () => conn.modules.os.hostname(), { code: 'ERR_ELSEWHERE_DENIED' });
  await conn.close();
});

test('one for all clients, or one each', async () => {
  class Counter extends Service {
    static override exposed = ['next'] as const;
    #n = 0;
    next(): number {
      return ++this.#n;
    }
  }
  for (const [service, second] of [
    [new Counter(), 2],
    [Counter, 1],
    [() => new Counter(), 1],
  ] as const) {
    await using server = await serve({ service });
    const one = await connect<Counter>(server.url);
    const two = await connect<Counter>(server.url);
    assert.equal(await one.root.next(), 1);
    assert.equal(await two.root.next(), second);
    await one.close();
    await two.close();
  }
});

test('onConnect and onDisconnect; a plain object is its own list', async () => {
  const calc = new Calc();
  const server = await serve({ service: calc });
  const conn = await connect<Calc>(server.url);
  await conn.ping();
  await conn.close();
  await server.close();
  assert.deepEqual(calc.log, ['+32', '-true']);
  const plain = { tools: { upper: (s: string) => s.toUpperCase() }, version: 3 };
  const pair = await connectPair<typeof plain>({ service: plain, classic: false });
  assert.equal(await pair.near.root.tools.upper('x'), 'X');
  assert.equal(await pair.near.root.version, 3);
  await pair.near.close();
  await pair.far.close();
});

test('a client serves too: calls go both ways on one connection', async () => {
  class Chat extends Service {
    static override exposed = ['join'] as const;
    #peer: ServicePeer<{ hear(text: string): string }> | undefined;
    override onConnect(peer: ServicePeer): void {
      this.#peer = peer as ServicePeer<{ hear(text: string): string }>;
    }
    async join(name: string): Promise<string> {
      return `heard: ${await this.#peer?.root.hear(`${name} joined`)}`;
    }
  }
  await using server = await serve({ service: Chat, classic: false });
  const conn = await connect<Chat>(server.url, { service: { hear: (text: string) => `${text}!` } });
  assert.equal(await conn.root.join('Ada'), 'heard: Ada joined!');
  await conn.close();
  const silent = await connect<Chat>(server.url);
  await assert.rejects(async () => silent.root.join('Bob'), { code: 'ERR_ELSEWHERE_NO_METHOD' });
  await silent.close();
});

test('a slow call holds up no other', async () => {
  await using server = await serve({ service: Calc, classic: false });
  const conn = await connect<Calc>(server.url);
  const order: string[] = [];
  await Promise.all([
    conn.root.later(50).then(() => order.push('slow')),
    conn.root.add(1, 1).then(() => order.push('quick')),
  ]);
  assert.deepEqual(order, ['quick', 'slow']);
  await conn.close();
});

test('10,000 calls in flight are answered in the order of their start, and leave nothing behind', async () => {
  const pair = await connectPair<Calc>({ service: Calc, classic: false });
  const order: number[] = [];
  const calls = Array.from({ length: 10_000 }, (_, i) =>
    pair.near.root.add(i, 0).then((x: number) => order.push(x)),
  );
  await Promise.all(calls);
  assert.deepEqual(
    order,
    Array.from({ length: 10_000 }, (_, i) => i),
  );
  assert.equal(pair.near.stats().pendingCalls, 0);
  await pair.near.close();
  await pair.far.close();
});

test.run();

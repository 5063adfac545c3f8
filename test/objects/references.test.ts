import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { Readable, Writable } from 'node:stream';
import { inspect } from 'node:util';
import {
  byRef,
  byValue,
  type Connection,
  connectPair,
  isRemote,
  obtain,
  oneway,
  type Reference,
  release,
  remoteReflect,
  restricted,
  type Server,
} from '../../src/index.ts';
import { suite } from '../kit/suite.ts';

const test = suite('objects/references');
let near: Connection;
let far: Server;

test.before(async () => {
  ({ near, far } = await connectPair());
});
test.after(async () => {
  await near.close();
  await far.close();
});

test('a path is one frame, also through calls', async () => {
  await near.execute(`
    namespace.shop = { stock: [{ name: 'tea', price: () => 3 }], make() { return this; } };
  `);
  const before = near.stats().packetsSent;
  const shop = near.namespace['shop'] as unknown as Reference<{
    stock: { name: string; price(): number }[];
    make(): { stock: { name: string }[] };
  }>;
  assert.equal(await shop.stock[0]?.name, 'tea');
  assert.equal(await shop.stock[0]?.price(), 3);
  assert.equal(await shop.make().stock[0]?.name, 'tea');
  // The last line is two calls in one packet; release of numbers may add one.
  assert.ok(near.stats().packetsSent - before <= 4, `${near.stats().packetsSent - before}`);
});

test('calls build on calls that are under way, and share their failure', async () => {
  await near.execute(
    `namespace.slow = async (x) => { if (x < 0) throw new RangeError('negative'); return { twice: () => 2 * x, x }; }`,
  );
  const slow = near.namespace['slow'] as unknown as (x: number) => Promise<{ x: number }> & {
    twice(): Promise<number>;
    x: Promise<number>;
  };
  assert.equal(await slow(4).twice(), 8);
  const pending = slow(5);
  assert.equal(await pending.x, 5);
  assert.equal((await pending).x, 5);
  // Now it is there, and by value.
  assert.equal(await pending.x, 5);
  await assert.rejects(slow(-1).twice(), { name: 'RangeError', message: 'negative' });
});

test('get, set, has, delete, keys, construct', async () => {
  await near.execute(`
    namespace.Point = class Point { constructor(x) { this.x = x; } double() { return new Point(this.x * 2); } };
    namespace.bag = { a: 1 };
  `);
  const bag = near.namespace['bag'];
  await remoteReflect.set(bag, 'b', [1, 2]);
  assert.deepEqual(await remoteReflect.get(bag, 'b'), [1, 2]);
  assert.equal(await remoteReflect.has(bag, 'a'), true);
  assert.equal(await remoteReflect.deleteProperty(bag, 'a'), true);
  assert.equal(await remoteReflect.has(bag, 'a'), false);
  assert.deepEqual(await remoteReflect.ownKeys(bag), ['b']);
  (near.namespace as unknown as Record<string, unknown>)['plain'] = 7;
  assert.equal(await near.eval('plain'), 7);
  const Point = near.namespace['Point'] as unknown as new (
    x: number,
  ) => Promise<Reference<{ x: number; double(): { x: number } }>>;
  const point = await new Point(3);
  assert.ok(isRemote(point));
  assert.equal(await point.x, 3);
  assert.equal(await point.double().x, 6);
  const map = await new near.global.Map();
  assert.deepEqual(map, new Map(), 'data by value, whoever made it');
});

test('identity is kept both ways', async () => {
  await near.execute(
    'namespace.keep = class {}; namespace.one = new keep(); namespace.same = (a, b) => a === b',
  );
  const one = await near.eval('one');
  assert.equal(await near.eval('one'), one);
  assert.equal(
    await near.run((a: unknown, b: unknown) => a === b, one, near.namespace['one']),
    true,
  );
  const mine = (): string => 'mine';
  const back = await near.run((f: unknown) => [f, f] as const, mine);
  assert.equal(back[0], mine);
  assert.equal(back[1], mine);
});

test('callbacks run here, nested as deep as they come', async () => {
  const depths: number[] = [];
  const down = async (
    n: number,
    far: (n: number, back: unknown) => Promise<number>,
  ): Promise<number> => {
    depths.push(n);
    return n === 0 ? 0 : 1 + (await far(n - 1, down));
  };
  const hop = await near.teleport(async function hop(
    n: number,
    back: (n: number, f: unknown) => Promise<number>,
  ): Promise<number> {
    return back(n, hop);
  });
  assert.equal(await (hop as unknown as (n: number, f: unknown) => Promise<number>)(20, down), 20);
  assert.equal(depths.length, 21);
  await assert.rejects(
    near.run(
      async (f: () => unknown) => f(),
      () => {
        throw new TypeError('from here');
      },
    ),
    { name: 'TypeError', message: 'from here' },
  );
});

test('iterators and async iterators, and their early end', async () => {
  await near.execute(`
    namespace.ended = 0;
    namespace.count = function* (n) { try { for (let i = 0; i < n; i++) yield i; } finally { namespace.ended++; } };
    namespace.later = async function* (n) { for (let i = 0; i < n; i++) { await null; yield { i }; } };
  `);
  const count = near.namespace['count'] as unknown as (n: number) => AsyncIterable<number>;
  let sum = 0;
  const before = near.stats().packetsSent;
  for await (const x of count(10_000)) sum += x;
  assert.equal(sum, 49_995_000);
  assert.ok(near.stats().packetsSent - before < 40, 'in growing pieces');
  for await (const x of count(1000)) if (x === 3) break;
  assert.equal(await near.eval('ended'), 2);
  const seen: unknown[] = [];
  for await (const item of near.namespace['later']?.(3) ?? []) seen.push(item);
  assert.deepEqual(seen, [{ i: 0 }, { i: 1 }, { i: 2 }]);
  // And the other way.
  async function* mine() {
    yield 'a';
    yield 'b';
  }
  const read = async (items: AsyncIterable<string>): Promise<string[]> => {
    const all: string[] = [];
    for await (const item of items) all.push(item);
    return all;
  };
  assert.deepEqual(await near.run(read, mine() as AsyncIterable<string>), ['a', 'b']);
});

test('an item that is late does not hold up those before it', async () => {
  await near.execute(
    `namespace.drip = async function* () { yield 1; yield 2; await new Promise((go) => { namespace.go = go; }); yield 3; }`,
  );
  const items: unknown[] = [];
  for await (const item of near.namespace['drip']?.() ?? []) {
    items.push(item);
    if (item === 2) await near.eval('go()');
  }
  assert.deepEqual(items, [1, 2, 3]);
});

test('promises, signals, streams and emitters travel', async () => {
  let settle: (value: number) => void = () => undefined;
  const promise = new Promise<number>((resolve) => (settle = resolve));
  const doubled = near.run(async ({ p }: { p: Promise<number> }) => (await p) * 2, {
    p: promise,
  } as never);
  settle(21);
  assert.equal(await doubled, 42);

  const controller = new AbortController();
  const aborted = near.run(
    (signal: AbortSignal) =>
      new Promise((resolve) => signal.addEventListener('abort', () => resolve(signal.reason))),
    controller.signal as never,
  );
  await near.ping();
  controller.abort('enough');
  assert.equal(await aborted, 'enough');

  const text = await near.run(
    async (readable: Readable) => {
      let all = '';
      for await (const chunk of readable) all += chunk;
      return all;
    },
    Readable.from([Buffer.from('one '), Buffer.from('two')]) as never,
  );
  assert.equal(text, 'one two');

  const chunks: string[] = [];
  const writable = new Writable({
    write: (chunk, _encoding, done) => {
      chunks.push(String(chunk));
      done();
    },
  });
  await near.run(async (to: Writable) => {
    to.write('a');
    await new Promise((resolve) => to.end('b', () => resolve(null)));
  }, writable as never);
  assert.deepEqual(chunks, ['a', 'b']);

  const emitter = new EventEmitter();
  const heard = once(emitter, 'hello');
  await near.run(async (to: EventEmitter) => void (await to.emit('hello', 5)), emitter as never);
  assert.deepEqual(await heard, [5]);
  await near.execute(`namespace.source = new (require('node:events'))()`);
  const far: unknown[] = [];
  await near.namespace['source']?.['on']?.('tick', (n: number) => far.push(n));
  await near.eval(`source.emit('tick', 1), source.emit('tick', 2), 0`);
  await near.ping();
  assert.deepEqual(far, [1, 2]);
});

test('byRef, byValue, restricted, obtain', async () => {
  const list = [1];
  await near.run(
    async (far: { push(x: number): unknown }) => void (await far.push(2)),
    byRef(list) as never,
  );
  assert.deepEqual(list, [1, 2]);
  class Account {
    owner = 'Ada';
    #secret = 1;
    pin(): number {
      return this.#secret;
    }
  }
  await assert.rejects(
    near.run((x: unknown) => x, new Account()),
    /Account exposes nothing/,
  );
  assert.deepEqual(await near.run((x: unknown) => x, byValue(new Account())), { owner: 'Ada' });
  const view = restricted(new Account(), { get: ['owner'] });
  const ask = async (x: { owner: string; pin(): number }): Promise<unknown[]> => [
    await x.owner,
    await Promise.resolve(x.pin()).catch((error: { code: string }) => error.code),
  ];
  assert.deepEqual(await near.run(ask, view as never), ['Ada', 'ERR_ELSEWHERE_NO_METHOD']);
  await near.execute('namespace.acc = new (class Acc { constructor() { this.n = 1; } f() {} })()');
  const account = await near.eval('acc');
  assert.ok(isRemote(account));
  assert.deepEqual(await obtain(account as Reference<object>), { n: 1 });
});

test('printing, comparing and serializing a proxy asks nobody; it is no promise', async () => {
  await near.execute(`namespace.Calc = class Calc {}; namespace.calc = new Calc()`);
  const calc = (await near.eval('calc')) as Reference<object>;
  await near.ping();
  const before = near.stats().packetsSent;
  assert.match(inspect(calc), /^\[Remote Calc #\d+ via memory\]$/);
  assert.match(inspect({ deep: { calc } }), /\[Remote Calc/);
  assert.match(`${calc}`, /\[Remote Calc/);
  assert.equal(JSON.stringify({ calc }), '{}');
  assert.equal((calc as { then?: unknown }).then, undefined);
  assert.equal((calc as { constructor?: unknown }).constructor, undefined);
  assert.deepEqual(Object.keys(calc), []);
  assert.equal(calc instanceof Error, false);
  assert.deepEqual(structuredCloneFails(calc), 'DataCloneError');
  assert.match(inspect(near.modules.os), /\[Remote modules\.os via memory\]/);
  assert.equal(near.stats().packetsSent, before);
});

function structuredCloneFails(value: unknown): string {
  try {
    structuredClone(value);
    return '';
  } catch (error) {
    return (error as Error).name;
  }
}

test('release, using, and what a released reference says', async () => {
  await near.execute('namespace.Thing = class { hi() { return 1; } }');
  const thing = (await near.eval('new Thing()')) as Reference<{ hi(): number }>;
  release(thing);
  await assert.rejects(async () => thing.hi(), { code: 'ERR_ELSEWHERE_BAD_REFERENCE' });
  {
    using other = (await near.eval('new Thing()')) as Reference<{ hi(): number }>;
    assert.equal(await other.hi(), 1);
  }
  await near.ping();
});

test('errors keep class, code and properties, and tell both sides', async () => {
  await near.execute(
    `namespace.fail = function failThere() { throw Object.assign(new RangeError('too far'), { code: 'E_FAR', limit: 3 }); }`,
  );
  async function askHere(): Promise<unknown> {
    return await near.namespace['fail']?.();
  }
  const error = (await askHere().catch((caught: unknown) => caught)) as RangeError & {
    code: string;
  };
  assert.ok(error instanceof RangeError);
  assert.equal(error.message, 'too far');
  assert.equal(error.code, 'E_FAR');
  assert.match(error.stack ?? '', /askHere[\s\S]*--- far side, memory ---[\s\S]*failThere/);
});

test('of many calls at once, errors tell the functions that await them', async () => {
  await near.execute(
    `namespace.soon = function failSoon() { throw new RangeError('too far'); }; namespace.one = () => 1`,
  );
  async function askAmongMany(): Promise<unknown> {
    const many = Array.from({ length: 1100 }, () => near.namespace['one']?.());
    try {
      return await near.namespace['soon']?.();
    } finally {
      await Promise.all(many);
    }
  }
  const error = (await askAmongMany().catch((caught: unknown) => caught)) as Error;
  const { stack = '' } = error;
  assert.match(stack, /^RangeError: too far\n.*askAmongMany[\s\S]*far side, memory[\s\S]*failSoon/);
});

test('what the peer calls then is not called by await', async () => {
  let called = 0;
  const result = await near.run(
    // biome-ignore lint/suspicious/noThenProperty: that is what is tested.
    (f: unknown) => [{ then: f, x: 1 }] as object[],
    () => called++,
  );
  assert.deepEqual(await result[0], { x: 1 });
  assert.equal(called, 0);
});

test('oneway does not wait', async () => {
  await near.execute(
    'namespace.told = []; namespace.tell = (x) => { told.push(x); throw new Error("unheard"); }',
  );
  oneway(near.namespace['tell'] as unknown as (x: number) => unknown)(5);
  assert.deepEqual(await near.eval('told'), [5]);
});

test('references of a closed session fail', async () => {
  const pair = await connectPair();
  const f = (await pair.near.eval('() => 1')) as Reference<() => number>;
  await pair.near.close();
  await assert.rejects(async () => f(), { code: 'ERR_ELSEWHERE_CLOSED' });
  await pair.far.close();
});

test.run();

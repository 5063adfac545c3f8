/** What nobody uses any more is free on the other side: by garbage collection, in batches. */
import assert from 'node:assert/strict';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type Connection, connectPair, release, type Server, Service } from '../../src/index.ts';
import { suite } from '../kit/suite.ts';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

const test = suite('objects/collected');

class Thing {
  static exposed = ['id'] as const;
  id = 1;
}
class Shop extends Service {
  static override exposed = ['make', 'same', 'keep', 'drop', 'call', 'wait'] as const;
  readonly made: WeakRef<object>[] = [];
  #one: Thing | undefined;
  #kept: unknown;
  make(): Thing {
    const thing = new Thing();
    this.made.push(new WeakRef(thing));
    return thing;
  }
  same(): Thing {
    const thing = this.#one ?? this.make();
    this.#one = thing;
    return thing;
  }
  forget(): void {
    this.#one = undefined;
  }
  keep(callback: () => unknown): void {
    this.#kept = callback;
  }
  drop(): void {
    this.#kept = undefined;
  }
  end: () => void = () => undefined;
  wait(): Promise<Thing> {
    return new Promise((resolve) => {
      this.end = () => resolve(new Thing());
    });
  }
  call(): unknown {
    return (this.#kept as () => unknown)();
  }
}

let shop: Shop;
let near: Connection<Shop>;
let far: Server;
test.before.each(async () => {
  shop = new Shop();
  ({ near, far } = await connectPair<Shop>({ service: shop, classic: false }));
});
test.after.each(async () => {
  await near.close();
  await far.close();
});

/** Garbage collection is nobody's promise: asked for until it has happened. */
async function alive(
  refs: readonly WeakRef<object>[],
  wanted: number,
  tries = 40,
): Promise<number> {
  let left = refs.length;
  for (let i = 0; i < tries; i++) {
    // What is looked at lives until the end of the turn.
    await new Promise((resolve) => setTimeout(resolve, 5));
    gc();
    await new Promise((resolve) => setTimeout(resolve, 5));
    left = refs.filter((ref) => ref.deref() !== undefined).length;
    if (left === wanted) break;
  }
  return left;
}

test('a thousand proxies that are dropped free their objects, in few packets', async () => {
  const before = near.stats().packetsSent;
  await (async () => {
    for (let i = 0; i < 1000; i += 100)
      await Promise.all(Array.from({ length: 100 }, () => near.root.make()));
  })();
  assert.equal(shop.made.length, 1000);
  assert.equal(await alive(shop.made, 0), 0);
  assert.ok(near.stats().packetsSent - before < 100, `${near.stats().packetsSent - before}`);
});

test('one that arrived twice is free when both are dropped, and not before', async () => {
  let held: unknown = await near.root.same();
  await (async () => void (await near.root.same()))();
  shop.forget();
  const [ref] = shop.made as [WeakRef<object>];
  assert.equal(await alive([ref], 0, 5), 1, 'still held here');
  assert.notEqual(held, undefined);
  held = undefined;
  assert.equal(await alive([ref], 0), 0);
});

test('release and using free at once, without garbage collection here', async () => {
  const thing = await near.root.make();
  release(thing);
  await near.ping();
  assert.equal(await alive(shop.made, 0), 0);
  {
    using _other = (await near.root.make()) as unknown as Disposable;
  }
  await near.ping();
  assert.equal(await alive(shop.made, 0), 0);
});

test('a callback lives as long as the other side has it', async () => {
  const ref = await (async () => {
    const callback = (): number => 42;
    await near.root.keep(callback);
    return new WeakRef(callback);
  })();
  assert.equal(await alive([ref], 0, 5), 1);
  assert.equal(await near.root.call(), 42);
  await near.root.drop();
  assert.equal(await alive([ref], 0), 0);
});

test('a call that takes long does not keep what later ones have given', async () => {
  const waiting = near.root.wait();
  for (let i = 0; i < 2100; i += 100) {
    const things = await Promise.all(Array.from({ length: 100 }, () => near.root.make()));
    for (const thing of things) release(thing);
  }
  assert.equal(await alive(shop.made.slice(0, 2000), 0), 0);
  // What is under way can be built on all the same.
  const id = waiting.id.then((value) => value);
  await near.ping();
  shop.end();
  assert.equal(await id, 1);
});

test('what calls gave is not kept for those that might build on it', async () => {
  await (async () => {
    for (let i = 0; i < 100; i++) void near.root.make().id.then(() => undefined);
    await near.root.make();
  })();
  assert.equal(await alive(shop.made, 0), 0);
});

test.run();

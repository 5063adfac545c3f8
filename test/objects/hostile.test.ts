/**
 * Rows of the attack list that need both ends: values that a client sends to a service, and what an agent may try on its
 * client. What needs raw bytes is in wire/guard, wire/codec and fuzz; names and ids of one end are in objects/attacks.
 */
import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import {
  type Connection,
  connectPair,
  isRemote,
  type Reference,
  release,
  type Server,
  Service,
  type ServicePeer,
} from '../../src/index.ts';
import { suite } from '../kit/suite.ts';

const test = suite('objects/hostile', { limit: 20_000 });
type Any = Reference<Record<string, (...args: unknown[]) => unknown>>;
const NO_METHOD = { code: 'ERR_ELSEWHERE_NO_METHOD' };

class Victim extends Service {
  static override exposed = [
    'echo',
    'merge',
    'kind',
    'count',
    'hold',
    'deep',
    'open',
    'secret',
  ] as const;
  peer: ServicePeer | undefined;
  held: ((...args: unknown[]) => unknown) | undefined;
  ended = 0;
  override onConnect(peer: ServicePeer): void {
    this.peer = peer;
  }
  echo(value: unknown): unknown {
    return value;
  }
  merge(value: object): unknown {
    return { ...Object.assign({}, value), ...value };
  }
  async kind(value: unknown): Promise<string> {
    const awaited = (await value) as { then?: unknown };
    return `${awaited === value} ${typeof awaited.then}`;
  }
  count(...args: unknown[]): unknown {
    return [args.length, this instanceof Victim];
  }
  hold(callback: (...args: unknown[]) => unknown): void {
    this.held = callback;
  }
  async deep(n: number, back: (n: number) => Promise<number>): Promise<number> {
    return n === 0 ? 0 : 1 + (await back(n - 1));
  }
  *open(): Generator<number> {
    try {
      for (let i = 0; ; i++) yield i;
    } finally {
      this.ended++;
    }
  }
  secret(): never {
    throw new Error('plain words', { cause: 'why' });
  }
}

let victim: Victim;
let near: Connection;
let far: Server;
let root: Any;
test.before.each(async () => {
  victim = new Victim();
  ({ near, far } = await connectPair({ service: victim, classic: false }));
  root = near.root as never;
});
test.after.each(async () => {
  await near.close();
  await far.close();
});

function intrinsics(): unknown[] {
  return [Object, Function, Array, Map, Promise, Error].flatMap((builtin) =>
    [builtin, builtin.prototype as object].flatMap((object) =>
      Reflect.ownKeys(object).map((key) => [
        key,
        Object.getOwnPropertyDescriptor(object, key)?.value,
      ]),
    ),
  );
}

const cyclic = new Error('x');
cyclic.cause = cyclic;
let bomb: unknown = [1];
for (let i = 0; i < 40; i++) bomb = [bomb, bomb];

function thenable(then: unknown): object {
  return Object.fromEntries([['then', then]]);
}

/** [row, what is sent to which method, what comes of it] */
const VALUES: readonly (readonly [string, string, () => unknown[], (result: unknown) => void])[] = [
  [
    'C8 100,000 arguments',
    'count',
    () => new Array(100_000).fill(1),
    (result) => assert.deepEqual(result, [100_000, true]),
  ],
  [
    'C13 constructor.prototype',
    'echo',
    () => [{ constructor: { prototype: { polluted: 1 } } }],
    (result) => assert.equal(({} as { polluted?: 1 }).polluted, undefined, String(result)),
  ],
  [
    'C14 spread and assign',
    'merge',
    () => [{ constructor: { prototype: { polluted: 1 } }, a: 1 }],
    (result) => assert.equal((result as { a: 1 }).a, 1),
  ],
  [
    'C15 a thenable',
    'kind',
    () => [thenable(() => assert.fail('called'))],
    (result) => assert.equal(result, 'true undefined'),
  ],
  [
    'C15 a then that is data',
    'kind',
    () => [thenable({})],
    (result) => assert.equal(result, 'true object'),
  ],
  [
    'C16 a cycle of causes',
    'echo',
    () => [cyclic],
    (result) => assert.equal((result as Error).cause, result),
  ],
  [
    'C16 a forged name and code',
    'echo',
    () => [Object.assign(new Error('x'), { name: '__proto__', code: 'EACCES' })],
    (result) =>
      assert.ok(result instanceof Error && Object.getPrototypeOf(result) === Error.prototype),
  ],
  [
    'C16 a stack of 1 MiB',
    'echo',
    () => [Object.assign(new Error('x'), { stack: 'y'.repeat(1 << 20) })],
    (result) => assert.ok(((result as Error).stack ?? '').length <= 16_384 + 2000),
  ],
  [
    'C17 a bomb of shared parts',
    'echo',
    () => [bomb],
    (result) => assert.equal((result as unknown[])[0], (result as unknown[])[1]),
  ],
  [
    'C18 an invalid date',
    'echo',
    () => [new Date(8.64e15 + 1)],
    (result) => assert.ok(Number.isNaN((result as Date).getTime())),
  ],
  [
    'C19 large integers',
    'echo',
    () => [[2 ** 53 + 2, -0, 2n ** 200n]],
    (result) => assert.deepStrictEqual(result, [2 ** 53 + 2, -0, 2n ** 200n]),
  ],
  ['C20 lone surrogates', 'echo', () => ['\ud800'], (result) => assert.equal(result, '\ud800')],
];

test(`${VALUES.length} hostile values do what they say and nothing else`, async () => {
  const before = intrinsics();
  for (const [row, method, args, check] of VALUES) {
    const start = performance.now();
    check(await root[method]?.(...args()));
    assert.ok(performance.now() - start < 2000, `${row} took too long`);
  }
  for (const value of [2n ** 4096n, new SharedArrayBuffer(8), Symbol('x'), new WeakMap()])
    await assert.rejects(
      async () => root['echo']?.(value),
      (error: Error) => /travel|exposes/.test(error.message),
    );
  const after = intrinsics();
  assert.equal(after.length, before.length);
  for (const [i, pair] of after.entries()) assert.deepEqual(pair, before[i]);
  assert.deepEqual(await root['echo']?.(1), 1, 'and it still serves');
});

test('C9 ids of another session, and 3,000 guesses, lead nowhere', async () => {
  const other = await connectPair({ service: new Victim(), classic: false });
  const { placeOf } = await import('../../src/objects/reference.ts');
  const items = (await (root['open']?.() as Promise<unknown>)) as object;
  const foreign = (await (other.near.root as unknown as Any)['open']?.()) as object;
  const [mine, theirs] = [placeOf(items), placeOf(foreign)];
  assert.ok(mine !== undefined && theirs !== undefined);
  const ids = [...Array.from({ length: 200 }, (_, i) => Number(mine.target) + i + 1)];
  for (let i = 0; i < 3000; i++) ids.push(Math.floor(Math.random() * 2 ** 47) + 65_536);
  const asked = await Promise.allSettled(
    ids.map((target) => mine.caller.perform({ ...mine, target }, 0, []).promise),
  );
  for (const outcome of asked) {
    assert.equal(outcome.status, 'rejected');
    assert.equal((outcome.reason as { code: string }).code, 'ERR_ELSEWHERE_BAD_REFERENCE');
  }
  await other.near.close();
  await other.far.close();
});

test('C21 callbacks that call back 1,000 deep', async () => {
  const back = (n: number): unknown => root['deep']?.(n, back);
  assert.equal(await root['deep']?.(1000, back), 1000);
});

test('C22 an iteration that nobody finishes ends with its session', async () => {
  const open = root['open']?.() as unknown as AsyncIterable<number>;
  const iterator = open[Symbol.asyncIterator]();
  await iterator.next();
  assert.equal(victim.ended, 0);
  await near.close();
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(victim.ended, 1);
});

test('C23 a failure of a service shows its message, and nothing of where it was', async () => {
  const error = await Promise.resolve(root['secret']?.()).catch((caught: Error) => caught);
  assert.equal((error as Error).message, 'plain words');
  assert.doesNotMatch(
    (error as Error).stack ?? '',
    /hostile\.test\.[jt]s:\d+:\d+\)[\s\S]*far side|keeper/,
  );
});

test('D1, D17 an agent reaches nothing of a client that serves nothing', async () => {
  const peer = victim.peer?.root as unknown as Any;
  for (const name of ['anything', 'toString', 'fs', 'process'])
    await assert.rejects(async () => peer[name]?.(), NO_METHOD, name);
  const { placeOf } = await import('../../src/objects/reference.ts');
  const place = placeOf(peer);
  assert.ok(place !== undefined);
  for (const target of ['modules', 'global', 'namespace', 'constructor', '__proto__'])
    await assert.rejects(
      place.caller.perform({ ...place, target, path: ['process', 'exit'] }, 1, []).promise,
      NO_METHOD,
      target,
    );
});

test('D2, D3 a callback works while it is held, as often as it is called, and not afterwards', async () => {
  let calls = 0;
  const callback = (x: unknown): number => (isRemote(x) ? -1 : ++calls);
  await root['hold']?.(callback);
  const held = victim.held as (...args: unknown[]) => Promise<unknown>;
  await Promise.all(Array.from({ length: 5000 }, () => held(1)));
  assert.equal(calls, 5000);
  assert.equal(await held(() => undefined), -1, 'a function of the agent is a reference here');
  release(held);
  await assert.rejects(async () => held(1), { code: 'ERR_ELSEWHERE_BAD_REFERENCE' });
});

test('D11 names that an agent gives cannot drive a terminal, nor a proxy its owner', async () => {
  class Named {
    static exposed = ['a'];
    a = 1;
  }
  Object.defineProperty(Named, 'name', { value: '\u001b]0;owned\u0007\n'.repeat(9) });
  victim.echo = () => new Named();
  const reference = (await root['echo']?.()) as object;
  assert.ok(isRemote(reference));
  assert.ok([...inspect(reference)].every((char) => char >= ' '));
  assert.equal(Object.keys(reference).length, 0);
  assert.equal(JSON.stringify({ reference }), '{}');
  assert.equal(`${(reference as { then?: unknown }).then}`, 'undefined');
});

test('D19 a callback shows nothing of itself', async () => {
  const secret = 'a secret of the source';
  const callback = (): string => secret;
  await root['hold']?.(callback);
  const held = victim.held as unknown as Any;
  for (const name of ['toString', 'name', 'length', 'caller', 'arguments'])
    await assert.rejects(
      async () => await held[name]?.(),
      (error: { code?: string; name: string }) =>
        error.code === NO_METHOD.code || error.name === 'TypeError',
      name,
    );
  assert.doesNotMatch(String(held), /secret of/);
});

test.run();

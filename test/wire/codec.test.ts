import assert from 'node:assert/strict';
import { ElsewhereError } from '../../src/base/errors.ts';
import { decodeFrames, encodeFrame } from '../../src/wire/codec.ts';
import { Limit } from '../../src/wire/message.ts';
import { fc } from '../kit/random.ts';
import { suite } from '../kit/suite.ts';
import { encode, roundTrip } from './messages.ts';

const test = suite('wire/codec');

function same(value: unknown): void {
  assert.deepEqual(roundTrip(value), value);
}

test('primitives', () => {
  for (const value of [null, undefined, true, false, '', 'ä€😀', 'x'.repeat(70_000)]) same(value);
  for (const value of [
    0,
    -0,
    1,
    -1,
    255,
    2 ** 31,
    -(2 ** 31),
    2 ** 53,
    2 ** 60,
    0.1,
    1e308,
    5e-324,
  ])
    same(value);
  for (const value of [Number.NaN, Infinity, -Infinity]) same(value);
  for (const value of [
    0n,
    1n,
    -1n,
    2n ** 63n - 1n,
    -(2n ** 63n),
    2n ** 63n,
    2n ** 2000n,
    -(10n ** 615n),
  ])
    same(value);
});

test('objects that travel whole', () => {
  for (const value of [
    new Date(0),
    new Date(-1),
    /a(b)?\/c/giu,
    new URL('https://user@host:8080/path?query#hash'),
    new Map<unknown, unknown>([
      [1, { a: 1 }],
      [{ key: true }, new Map([[-0, undefined]])],
    ]),
    new Set([1, 'a', null, new Date(5)]),
    new Set([new Set([new Set()])]),
    Buffer.from('bytes'),
    new Uint8Array([1, 2]),
    new Uint8ClampedArray([1]),
    new Int8Array([-1]),
    new Int16Array([-300]),
    new Uint16Array([300]),
    new Int32Array([-70_000]),
    new Uint32Array([70_000]),
    new Float32Array([0.5, Number.NaN]),
    new Float64Array([-0, 1.5]),
    new BigInt64Array([-1n]),
    new BigUint64Array([2n ** 64n - 1n]),
    new DataView(new ArrayBuffer(3)),
    new ArrayBuffer(5),
    [undefined, [null, [-0]]],
    { undefined, nested: { list: [1n, new Date(1)] }, ключ: 1, '': 2 },
    // biome-ignore lint/suspicious/noThenProperty: that is what is tested
    { then: 1, constructor: 'c', toJSON: null, valueOf: {}, hasOwnProperty: [] },
  ])
    same(value);
});

test('an invalid date stays one', () => {
  const arrived = roundTrip(new Date(Number.NaN));
  assert.ok(arrived instanceof Date && Number.isNaN(arrived.getTime()));
});

test('a view of a part of its memory brings that part, in memory of its own', () => {
  const memory = new Uint8Array([0, 1, 2, 3, 4, 5, 6, 7]);
  const arrived = roundTrip(new Uint16Array(memory.buffer, 2, 2)) as Uint16Array;
  assert.deepEqual(arrived, new Uint16Array(memory.buffer, 2, 2));
  assert.equal(arrived.buffer.byteLength, 4);
});

test('holes stay holes, class instances arrive as plain data', () => {
  const holes = Object.assign(new Array(6), { 0: 1, 2: undefined, 4: { deep: new Array(2) } });
  assert.deepStrictEqual(roundTrip(holes), holes);
  assert.throws(() => encode(new Array(4_000_000_000)), { code: 'ERR_ELSEWHERE_LIMIT' });
  for (const value of [5, 'x', true, 7n])
    assert.deepStrictEqual(roundTrip(Object(value)), Object(value));
  class Point {
    x = 1;
    get length(): number {
      return 5;
    }
  }
  assert.deepEqual(roundTrip(new Point()), { x: 1 });
  assert.deepEqual(roundTrip(Object.assign(Object.create(null), { a: 1 })), { a: 1 });
});

test('errors keep class, message, stack, code, cause and own properties', () => {
  const cause = new RangeError('inner');
  const error = Object.assign(new TypeError('outer', { cause }), {
    code: 'E_X',
    errno: -2,
    path: '/x',
    when: new Date(3),
    ignored: () => 1,
  });
  const arrived = roundTrip(error) as typeof error;
  assert.ok(arrived instanceof TypeError);
  assert.deepEqual(
    [arrived.message, arrived.stack, arrived.code, arrived.errno, arrived.path, arrived.when],
    ['outer', error.stack, 'E_X', -2, '/x', new Date(3)],
  );
  assert.ok(arrived.cause instanceof RangeError);
  assert.equal(Object.getOwnPropertyDescriptor(arrived, 'cause')?.enumerable, false);
  assert.ok(!('ignored' in arrived));
  assert.deepEqual(Object.keys(arrived), ['code', 'errno', 'path', 'when']);
});

test('aggregate errors, our own errors, and errors of unknown classes', () => {
  const aggregate = roundTrip(new AggregateError([new Error('a'), 'b'], 'both')) as AggregateError;
  assert.ok(aggregate instanceof AggregateError);
  assert.deepEqual([aggregate.message, String(aggregate.errors)], ['both', 'Error: a,b']);
  const own = roundTrip(
    new ElsewhereError('ERR_ELSEWHERE_DENIED', 'no', { maybeExecuted: false }),
  ) as ElsewhereError;
  assert.ok(own instanceof ElsewhereError);
  assert.deepEqual([own.code, own.maybeExecuted], ['ERR_ELSEWHERE_DENIED', false]);
  class Mine extends RangeError {}
  assert.ok(roundTrip(new Mine('m')) instanceof RangeError);
  const named = Object.assign(new Error('n'), { name: 'constructor' });
  assert.equal((roundTrip(named) as Error).name, 'constructor');
});

test('small lists keep holes, negative zeros, what is in them twice, and texts that are no UTF-8', () => {
  const list = [1, 'a'];
  const [one, two, other] = roundTrip([list, list, [1, 'a']]) as unknown[];
  assert.equal(one, two);
  assert.notEqual(one, other);
  const cycle: unknown[] = [1];
  cycle.push(cycle);
  const back = roundTrip(cycle) as unknown[];
  assert.equal(back[1], back);
  const holes = new Array(3);
  for (const value of [[-0], [[[-0]]], [holes, 1], ['\ud800'], [undefined, [null, true]]])
    assert.deepStrictEqual(roundTrip(value), value);
});

test('shared parts stay shared, cycles stay cycles', () => {
  const shared = { a: 1 };
  const [one, two] = roundTrip([shared, shared]) as [object, object];
  assert.equal(one, two);
  const cycle: Record<string, unknown> = { list: [1] };
  cycle['self'] = cycle;
  (cycle['list'] as unknown[]).push(new Map([['up', cycle]]));
  const arrived = roundTrip(cycle) as typeof cycle;
  assert.equal(arrived['self'], arrived);
  assert.equal(((arrived['list'] as unknown[])[1] as Map<string, unknown>).get('up'), arrived);
  const error: Error & { again?: Error } = new Error('loop');
  error.cause = error;
  error.again = error;
  const back = roundTrip(error) as typeof error;
  assert.deepEqual([back.cause === back, back.again === back], [true, true]);
});

test('what cannot travel throws a TypeError that says what and where', () => {
  for (const [value, pattern] of [
    [() => 1, /^a function cannot travel/],
    [{ a: { b: Symbol('s') } }, /^a symbol cannot travel .*\(at a\.b\)/],
    [[1, { f() {} }], /a function .*\(at 1\.f\)/],
    [Promise.resolve(1), /a Promise/],
    [{ w: new WeakMap() }, /a WeakMap .*\(at w\)/],
    [new WeakSet(), /a WeakSet/],
    [new WeakRef({}), /a WeakRef/],
    [new Map([[1, () => 1]]), /a function .*Map\[1\]/],
    [new SharedArrayBuffer(4), /a SharedArrayBuffer/],
    [JSON.parse('{"__proto__":1}'), /a key named __proto__/],
  ] as const)
    assert.throws(() => encode(value), { name: 'TypeError', message: pattern });
});

const levels = (count: number, wrap: (inner: unknown) => unknown): unknown => {
  let value: unknown = 'core';
  for (let i = 0; i < count; i++) value = wrap(value);
  return value;
};

for (const [what, wrap] of [
  ['arrays', (inner: unknown) => [inner]],
  ['objects', (inner: unknown) => ({ inner })],
  ['maps', (inner: unknown) => new Map([[1, inner]])],
  ['sets', (inner: unknown) => new Set([inner])],
  ['causes', (inner: unknown) => new Error('e', { cause: inner })],
] as const) {
  test(`${what} travel nested 40 deep; far deeper is refused on this side`, () => {
    const value = levels(40, wrap);
    assert.deepEqual(roundTrip(value), value);
    assert.throws(() => encode(levels(200, wrap)), { name: 'TypeError', message: /nested deeper/ });
  });
}

test('what is encoded is accepted: long keys, many values, large bigints', () => {
  for (const length of [4096, 4097, 70_000]) same({ ['k'.repeat(length)]: 1 });
  same(new Array(200_000).fill(1));
  assert.throws(() => encode(new Array(4_300_000).fill(1)), { code: 'ERR_ELSEWHERE_LIMIT' });
  assert.throws(() => encode(2n ** 4096n), { code: 'ERR_ELSEWHERE_LIMIT' });
});

test('byte arrays and strings over 64 KiB are detached, at the limit they are not', () => {
  for (const [value, count] of [
    [Buffer.alloc(Limit.INLINE_BYTES, 1), 0],
    [Buffer.alloc(Limit.INLINE_BYTES + 1, 1), 1],
    ['s'.repeat(Limit.INLINE_BYTES), 0],
    ['s'.repeat(Limit.INLINE_BYTES + 1), 1],
    ['€'.repeat(Limit.INLINE_BYTES / 3 + 1), 1],
    [new Float64Array(10_000).fill(0.5), 1],
    [new Map([[Buffer.alloc(100_000, 2), { deep: [Buffer.alloc(100_000, 3)] }]]), 2],
  ] as const) {
    assert.equal(encode(value).detached.size, count);
    same(value);
  }
  const bytes = Buffer.alloc(100_000, 4);
  const shared = { bytes };
  const [one, two] = roundTrip([shared, shared]) as [typeof shared, typeof shared];
  assert.equal(one, two);
  assert.ok(one.bytes.equals(bytes));
});

test('a value that is too large for its packet travels apart, with what is in it', () => {
  const shared = { id: 1 };
  for (const [large, count] of [
    [new Array(263_000).fill(1), 1],
    [new Array(120_000).fill('12345678'), 1],
    [Array.from({ length: 30_000 }, (_, id) => ({ id, name: 'item', at: new Date(id) })), 1],
    [[shared, shared, new Array(263_000).fill(1)], 1],
    [[Buffer.alloc(100_000, 5), new Array(263_000).fill(1), 's'.repeat(70_000)], 3],
  ] as const) {
    assert.equal(encode(large).detached.size, count);
    same(large);
  }
});

test('a frame that is too large detaches nothing', () => {
  const detached: Uint8Array[] = [];
  const detach = (bytes: Uint8Array): number => detached.push(bytes);
  const large = [Buffer.alloc(100_000), new Array(4_300_000).fill(1)];
  assert.throws(() => encodeFrame([2, 7, large], detach), { code: 'ERR_ELSEWHERE_LIMIT' });
  assert.deepEqual(detached, []);
});

test('any data makes the round trip', () => {
  const value = fc.anything({
    withBigInt: true,
    withDate: true,
    withMap: true,
    withSet: true,
    withTypedArray: true,
    withNullPrototype: false,
    withSparseArray: false,
    maxDepth: 4,
  });
  void fc.assert(
    fc.property(value, (sent) => {
      fc.pre(
        !JSON.stringify(sent, (_key, inner) => (typeof inner === 'bigint' ? 0 : inner))?.includes(
          '"__proto__"',
        ),
      );
      assert.deepEqual(roundTrip(sent), sent);
    }),
    { numRuns: 1000 },
  );
});

test('what is changed after encoding does not show', () => {
  const value = { list: [1], bytes: Buffer.from('abc') };
  const { body } = encode(value);
  value.list.push(2);
  value.bytes.fill('x');
  assert.deepEqual(decodeFrames(Buffer.from(body)), [
    [2, 7, { list: [1], bytes: Buffer.from('abc') }],
  ]);
});

test.run();

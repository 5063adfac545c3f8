/** Any value that structured clone keeps comes back the same from the far side. */
import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import { type Connection, connectPair, type Server } from '../../src/index.ts';
import { fc } from '../kit/random.ts';
import { suite } from '../kit/suite.ts';

const test = suite('objects/round-trip', { limit: 30_000 });
let near: Connection<{ echo(value: unknown): unknown }>;
let far: Server;
test.before(async () => {
  ({ near, far } = await connectPair({
    service: { echo: (value: unknown) => value },
    classic: false,
  }));
});
test.after(async () => {
  await near.close();
  await far.close();
});

const echo = (value: unknown): Promise<unknown> =>
  near.root.echo(value as never) as Promise<unknown>;

/** Also halves of surrogate pairs, alone or in the wrong order. */
const anyText = fc
  .array(fc.oneof(fc.integer({ min: 0, max: 0xffff }), fc.integer({ min: 0xd7ff, max: 0xe000 })), {
    maxLength: 12,
  })
  .map((units) => String.fromCharCode(...units));
const plainValues = [fc.string(), fc.double(), fc.integer(), fc.boolean(), fc.constant(null)];

/** Trees of everything, with parts that are shared and cycles. */
const data = fc
  .anything({
    withBigInt: true,
    withBoxedValues: true,
    withDate: true,
    withMap: true,
    withSet: true,
    withTypedArray: true,
    withSparseArray: true,
    withNullPrototype: false,
    maxDepth: 4,
    key: fc.oneof(fc.string(), anyText).filter((key) => key !== '__proto__'),
    values: [anyText, ...plainValues],
  })
  .map((value) => structuredClone(value))
  // Node 20 holds an invalid date for different from every other.
  .filter((value) => !inspect(value, { depth: null }).includes('Invalid Date'));

test('data of all kinds', () =>
  fc.assert(
    fc.asyncProperty(data, async (value) => {
      assert.deepStrictEqual(await echo(value), value);
    }),
    { numRuns: 500 },
  ));

test('shared parts stay shared, and cycles closed', () =>
  fc.assert(
    fc.asyncProperty(fc.array(data, { minLength: 1, maxLength: 4 }), async (parts) => {
      const value: { parts: unknown[]; again: unknown[]; self?: unknown; map?: unknown } = {
        parts,
        again: [...parts].reverse(),
      };
      value.self = value;
      value.map = new Map([[parts, value]]);
      const back = (await echo(value)) as typeof value & { map: Map<unknown, unknown> };
      assert.deepStrictEqual(back, value);
      assert.equal(back.self, back);
      assert.equal(back.map.get(back.parts), back);
      for (const [i, part] of back.parts.entries())
        assert.ok(Object.is(part, back.again.at(-1 - i)));
    }),
    { numRuns: 200 },
  ));

test('numbers to the bit, errors with what they carry', async () => {
  for (const number of [
    -0,
    0,
    Number.NaN,
    Infinity,
    -Infinity,
    2 ** 53 + 2,
    5e-324,
    -1.5,
    2 ** 31,
    2 ** 32,
  ])
    assert.ok(Object.is(await echo(number), number), String(number));
  for (const bigint of [0n, -1n, 2n ** 63n, -(2n ** 63n), 2n ** 64n, 3n ** 400n, -(3n ** 400n)])
    assert.equal(await echo(bigint), bigint);
  const cause = Object.assign(new TypeError('inner'), { code: 'E_INNER', at: new Date(5) });
  const error = new AggregateError([new RangeError('one', { cause }), 2], 'many', { cause });
  const back = (await echo(error)) as AggregateError;
  assert.deepStrictEqual([back.name, back.message, back.errors[1]], ['AggregateError', 'many', 2]);
  assert.ok(back.errors[0] instanceof RangeError);
  assert.deepStrictEqual((back.cause as typeof cause).at, new Date(5));
  assert.equal(back.errors[0].cause, back.cause);
});

test('text of any units stays as it is, in every place', async () => {
  await fc.assert(
    fc.asyncProperty(anyText, async (text) => {
      assert.equal(await echo(text), text);
      if (text === '__proto__') return;
      const error = Object.assign(new Error(text, { cause: text }), { [text]: text });
      const value = [{ [text]: text }, new Map([[text, new Set([text])]]), Object(text)];
      assert.deepStrictEqual(await echo(value), value);
      const back = (await echo(error)) as Error & Record<string, unknown>;
      assert.deepStrictEqual([back.message, back.cause, back[text]], [text, text, text]);
    }),
    { numRuns: 300 },
  );
  const half = '\ud83d';
  for (const long of [half.repeat(100_000), `${'ä'.repeat(200_000)}${half}`])
    assert.ok(((await echo([long, { [long]: 1 }])) as [string])[0] === long);
  assert.equal(((await echo(new RegExp(half))) as RegExp).source, half);
});

/** What is in no tree of fast-check's. */
const bytes = fc.uint8Array({ maxLength: 30 }).map((view) => view.slice().buffer);
const others = fc.oneof(
  bytes,
  bytes.map((buffer) => new DataView(buffer)),
  fc.webUrl().map((url) => new URL(url)),
  fc
    .tuple(anyText, fc.stringMatching(/^[dgimsy]{0,3}$/))
    .filter(([, flags]) => new Set(flags).size === flags.length)
    .map(([source, flags]) => new RegExp(source.replace(/[^ -~]|[\\()[\]{}*+?|^$]/g, '.'), flags)),
  fc
    .tuple(fc.constantFrom(Error, TypeError, RangeError, URIError), anyText, data)
    .map(([Class, message, cause]) => Object.assign(new Class(message, { cause }), { own: cause })),
  fc.tuple(fc.array(data, { maxLength: 3 }), anyText).map((args) => new AggregateError(...args)),
);

test('buffers, views, URLs, expressions and errors, alone and among others', () =>
  fc.assert(
    fc.asyncProperty(others, data, async (value, beside) => {
      const back = (await echo([value, beside, new Map([[value, value]])])) as unknown[];
      assert.deepStrictEqual(back, [value, beside, new Map([[value, value]])]);
      if (value instanceof Error)
        assert.deepStrictEqual((back[0] as Error).cause, value.cause, 'its cause');
      if (value instanceof AggregateError)
        assert.deepStrictEqual((back[0] as AggregateError).errors, value.errors);
    }),
    { numRuns: 300 },
  ));

test('an invalid date stays one', async () => {
  const [date] = (await echo([new Date(Number.NaN)])) as [Date];
  assert.ok(date instanceof Date && Number.isNaN(date.getTime()));
});

test.run();

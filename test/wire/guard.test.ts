import assert from 'node:assert/strict';
import { decodeFrames, encodeFrame, joinFrames, PendingFrame } from '../../src/wire/codec.ts';
import { MAX_DEPTH, MAX_NODES } from '../../src/wire/guard.ts';
import { Op } from '../../src/wire/message.ts';
import { Sealed } from '../../src/wire/sealed.ts';
import { Tag } from '../../src/wire/tags.ts';
import { suite } from '../kit/suite.ts';
import { extension, list, returnOf, text } from './messages.ts';

const test = suite('wire/guard');

const NIL = 0xc0;
const boxed = (...content: readonly (number | Buffer)[]): Buffer => extension(1, list(...content));
const error = (name: string, own: Buffer = list()): Buffer =>
  boxed(Tag.ERROR, text(name), text('m'), text(''), own, list(0xc2, NIL));
const u32 = (code: number, count: number): Buffer => {
  const bytes = Buffer.alloc(5);
  bytes[0] = code;
  bytes.writeUInt32BE(count, 1);
  return bytes;
};

/** The own keys of everything that hostile data could reach, with their values' identities. */
function snapshot(): unknown[] {
  const objects = [
    Object,
    Function,
    Array,
    Map,
    Set,
    Error,
    TypeError,
    AggregateError,
    Buffer,
    Uint8Array,
    Date,
    RegExp,
    Promise,
    URL,
  ].flatMap((each) => [each, each.prototype as object]);
  return objects.flatMap((object) =>
    Reflect.ownKeys(object).flatMap((key) => {
      const { value, get, set } = Object.getOwnPropertyDescriptor(object, key) ?? {};
      return [key, value, get, set];
    }),
  );
}

function refused(bytes: Buffer): void {
  assert.throws(() => decodeFrames(bytes), {
    name: 'ElsewhereError',
    code: 'ERR_ELSEWHERE_PROTOCOL',
  });
}

const EXTENSIONS_OF_MSGPACKR: readonly [string, number][] = [
  ['a reference', 0x70],
  ['an identifier', 0x69],
  ['an error', 0x65],
  ['a set', 0x73],
  ['a regular expression', 0x78],
  ['a bigint', 0x42],
  ['a typed array', 0x74],
  ['a record', 0x72],
  ['a date', 0xff],
  ['an unknown one', 0x63],
];

const HOSTILE: readonly [string, Buffer][] = [
  ...EXTENSIONS_OF_MSGPACKR.map(([name, type]): [string, Buffer] => [
    `msgpackr's extension: ${name}`,
    returnOf(extension(type, list(1))),
  ]),
  ['a fixed extension of 4 bytes', returnOf(Buffer.from([0xd6, 0x70, 0, 0, 0, 0]))],
  ['nothing', Buffer.alloc(0)],
  ['no list', Buffer.of(1)],
  ['a list that is no frame', Buffer.from([0x91, 0x01])],
  ['a frame without an opcode', Buffer.from([0x91, 0x90])],
  ['an unknown opcode', Buffer.from([0x91, 0x93, 99, 7, 0])],
  ['a frame that is too short', Buffer.from([0x91, 0x92, Op.RETURN, 7])],
  ['a frame that is too long', Buffer.from([0x91, 0x94, Op.RETURN, 7, 0, 0])],
  ['an id that is NaN', Buffer.from([0x91, 0x93, Op.RETURN, 0xca, 0x7f, 0xc0, 0, 0, 0])],
  ['an id below 0', Buffer.from([0x91, 0x93, Op.RETURN, 0xff, 0])],
  ['an id of 1.5', Buffer.from([0x91, 0x93, Op.RETURN, 0xca, 0x3f, 0xc0, 0, 0, 0])],
  ['an id over 2^53', Buffer.from([0x91, 0x93, Op.RETURN, 0xcb, 0x43, 0x40, 0, 0, 0, 0, 0, 0, 0])],
  ['an id that is text', Buffer.from([0x91, 0x93, Op.RETURN, 0xa1, 0x31, 0])],
  ['an id that is a bigint', Buffer.from([0x91, 0x93, Op.RETURN, 0xd3, 0, 0, 0, 0, 0, 0, 0, 1, 0])],
  ['a byte behind the end', Buffer.concat([returnOf(1), Buffer.of(0)])],
  ['an unused code', returnOf(0xc1)],
  ['a cut string', returnOf(0xa5, 0x61)],
  ['a cut number', returnOf(0xcb, 0, 0)],
  ['a cut length', returnOf(0xdd, 0, 0)],
  ...[0xc6, 0xdb, 0xdd, 0xdf].map((code): [string, Buffer] => [
    `a length of 2^32-1 (0x${code.toString(16)})`,
    returnOf(u32(code, 0xffff_ffff)),
  ]),
  ['an extension of 2^32-1', returnOf(u32(0xc9, 0xffff_ffff), 1)],
  ['lists nested too deep', returnOf(Buffer.alloc(MAX_DEPTH, 0x91), NIL)],
  ['100,000 nested lists', returnOf(Buffer.alloc(100_000, 0x91), NIL)],
  [
    'nested maps',
    returnOf(...Array.from({ length: 100 }, () => Buffer.from([0x81, 0xa1, 0x61])), NIL),
  ],
  [
    'nested announcements of long lists',
    returnOf(...Array.from({ length: 24_000 }, () => Buffer.from([0xdc, 0xff, 0xff]))),
  ],
  ['too many values', returnOf(u32(0xdd, MAX_NODES), Buffer.alloc(MAX_NODES, 0x80))],
  ['a key named __proto__', returnOf(0x81, Buffer.from('\xa9__proto__\x01', 'latin1'))],
  ['the same as str8', returnOf(0x81, Buffer.from('\xd9\x09__proto__\x01', 'latin1'))],
  ['a key that is a number', returnOf(Buffer.from([0x81, 1, 1]))],
  ['a key that is a list', returnOf(Buffer.from([0x81, 0x90, 1]))],
  ['a key that is a bigint', returnOf(Buffer.from([0x81, 0xd3, 0, 0, 0, 0, 0, 0, 0, 1, 1]))],
  ['a key of 64 KB', returnOf(0x81, text('k'.repeat(60_000)), 1)],
  ['an empty box', returnOf(extension(1, Buffer.alloc(0)))],
  ['a box with a value behind its value', returnOf(extension(1, Buffer.from([0x91, 3, 1])))],
  ['a box with something else than a list', returnOf(extension(1, Buffer.of(1)))],
  ['a box without a tag', returnOf(boxed())],
  ['a box with an unknown tag', returnOf(boxed(99))],
  ['a box with a tag that is text', returnOf(boxed(text('constructor')))],
  ['a box inside a box too often', returnOf(nest(40))],
  ['an error that is cut', returnOf(boxed(Tag.ERROR))],
  [
    'an error with a name that is a number',
    returnOf(boxed(Tag.ERROR, 1, text(''), text(''), list(), list())),
  ],
  [
    'an error with the own property __proto__',
    returnOf(error('Error', list(text('__proto__'), 1))),
  ],
  ['an error with half a property', returnOf(error('Error', list(text('a'), 1, 2)))],
  ['a date that is text', returnOf(boxed(Tag.DATE, text('now')))],
  ['a bad regular expression', returnOf(boxed(Tag.REGEXP, text('('), text('')))],
  ['bad flags', returnOf(boxed(Tag.REGEXP, text('a'), text('zz')))],
  ['a bad URL', returnOf(boxed(Tag.URL, text('::')))],
  ['a bigint that is no number', returnOf(boxed(Tag.BIGINT, text('0x10')))],
  ['a bigint of 618 digits', returnOf(boxed(Tag.BIGINT, text('9'.repeat(618))))],
  ['a bigint that is a megabyte', returnOf(boxed(Tag.BIGINT, text('9'.repeat(60_000))))],
  ['a map that is a number', returnOf(boxed(Tag.MAP, 1))],
  [
    'a view of an unknown class',
    returnOf(boxed(Tag.VIEW, text('constructor'), Buffer.from([0xc4, 0]))),
  ],
  [
    'a view of half an element',
    returnOf(boxed(Tag.VIEW, text('Int32Array'), Buffer.from([0xc4, 1, 0]))),
  ],
  ['a view of something else', returnOf(boxed(Tag.VIEW, text('Int32Array'), 1))],
  ['a reference outside a graph', returnOf(boxed(Tag.REF, 0))],
  ['an empty graph', returnOf(boxed(Tag.GRAPH, list()))],
  ['a graph of plain values', returnOf(boxed(Tag.GRAPH, list(1)))],
  [
    'a graph in a graph',
    returnOf(boxed(Tag.GRAPH, list(boxed(Tag.GRAPH, list(boxed(Tag.ARRAY, list())))))),
  ],
  [
    'a reference beyond the graph',
    returnOf(boxed(Tag.GRAPH, list(boxed(Tag.ARRAY, list(boxed(Tag.REF, 5)))))),
  ],
  [
    'a reference that is text',
    returnOf(boxed(Tag.GRAPH, list(boxed(Tag.ARRAY, list(boxed(Tag.REF, text('length'))))))),
  ],
  [
    'a node named __proto__',
    returnOf(boxed(Tag.GRAPH, list(boxed(Tag.OBJECT, list(text('__proto__'), 1))))),
  ],
  ['an attachment without a length', returnOf(extension(2, list(1)))],
  ['an attachment below 0', returnOf(extension(2, list(1, 0xff)))],
];

function nest(count: number): Buffer {
  let inner = boxed(Tag.SET, list());
  for (let i = 0; i < count; i++) inner = boxed(Tag.SET, list(inner));
  return inner;
}

const before = snapshot();
for (const [what, bytes] of HOSTILE) test(`refused: ${what}`, () => refused(bytes));

test('nothing of this process has changed by them', () => {
  assert.deepEqual(snapshot(), before);
  assert.deepEqual(decodeFrames(returnOf(1)), [[Op.RETURN, 7, 1]]);
});

test('no value is looked at twice, and none behind the limit', () => {
  // What the scan costs: the bytes it touches. Behind the limit there is rubbish that it would refuse otherwise.
  const rubbish = Buffer.alloc(MAX_NODES, 0xc1);
  const bytes = returnOf(u32(0xdd, 2 * MAX_NODES), Buffer.alloc(MAX_NODES, 0x80), rubbish);
  assert.throws(() => decodeFrames(bytes), /too many values/);
});

test('odd names of errors give plain errors', () => {
  for (const name of [
    'constructor',
    'valueOf',
    '__proto__',
    '__lookupGetter__',
    'hasOwnProperty',
    'Function',
    '',
  ]) {
    const [frame] = decodeFrames(returnOf(error(name))) as unknown[][];
    const arrived = frame?.[2] as Error;
    assert.equal(Object.getPrototypeOf(arrived), Error.prototype);
    assert.equal(arrived.message, 'm');
  }
});

test('own properties of an error never reach a setter or a prototype', () => {
  const own = list(
    text('constructor'),
    1,
    text('toString'),
    2,
    text('stack'),
    3,
    text('message'),
    text('other'),
  );
  const [frame] = decodeFrames(returnOf(error('TypeError', own))) as unknown[][];
  const arrived = frame?.[2] as Error;
  assert.ok(Object.hasOwn(arrived, 'constructor'));
  assert.equal(Object.getPrototypeOf(arrived), TypeError.prototype);
  assert.deepEqual(snapshot(), before);
});

test('odd keys are own properties of plain objects', async () => {
  const names = ['constructor', 'then', 'toJSON', 'valueOf', 'hasOwnProperty', '__defineGetter__'];
  const entries = names.flatMap((name) => [text(name), Buffer.of(1)]);
  const [frame] = decodeFrames(returnOf(0x80 | names.length, ...entries)) as unknown[][];
  const arrived = frame?.[2] as object;
  assert.deepEqual(Object.keys(arrived), names);
  assert.equal(Object.getPrototypeOf(arrived), Object.prototype);
  assert.equal(await Promise.resolve(arrived), arrived, 'a then that is data is not called');
});

/** A small fast generator: the same numbers on every machine. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 8;
  };
}

function samples(): Uint8Array[] {
  const values: unknown[] = [
    { a: [1, 2.5, 'text', null, undefined], b: Buffer.from('bytes') },
    [new Map([[1, new Set([2n])]]), new Date(5), /x/g, new URL('http://h/'), -0, 2n ** 80n],
    Object.assign(new TypeError('t', { cause: new AggregateError([1], 'a') }), { code: 'E' }),
    new Float64Array(4),
  ];
  const shared = {};
  values.push([shared, shared]);
  return values.map((value) => {
    const frame = encodeFrame([Op.CALL, 1, 'name', [value]], () => 1);
    return joinFrames([frame], frame.length);
  });
}

const ALLOWED: ReadonlySet<unknown> = new Set(
  [
    Object,
    Array,
    Map,
    Set,
    Date,
    RegExp,
    URL,
    Buffer,
    ArrayBuffer,
    DataView,
    Error,
    TypeError,
    RangeError,
    AggregateError,
    EvalError,
    SyntaxError,
    ReferenceError,
    URIError,
    Int8Array,
    Uint8Array,
    Uint8ClampedArray,
    Int16Array,
    Uint16Array,
    Int32Array,
    Uint32Array,
    Float32Array,
    Float64Array,
    BigInt64Array,
    BigUint64Array,
  ].map((each) => each.prototype),
);

function inside(value: object): unknown {
  if (value instanceof PendingFrame) return value.head;
  return value instanceof Sealed ? value.open(() => null) : undefined;
}

/** Every object that can be reached is of an ordinary class, and none is something of this process. */
function checkObjects(value: unknown, seen = new Set<unknown>()): void {
  assert.notEqual(typeof value, 'function');
  if (typeof value !== 'object' || value === null || seen.has(value)) return;
  seen.add(value);
  const hidden = inside(value);
  if (hidden !== undefined) return checkObjects(hidden, seen);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (!ALLOWED.has(prototype)) assert.equal((value as Error).name, 'ElsewhereError');
  assert.ok(!ALLOWED.has(value));
  if (value instanceof Map) for (const entry of value) checkObjects(entry, seen);
  if (value instanceof Set) for (const item of value) checkObjects(item, seen);
  if (ArrayBuffer.isView(value)) return;
  for (const key of Reflect.ownKeys(value)) {
    const own = Object.getOwnPropertyDescriptor(value, key);
    if (own !== undefined && 'value' in own) checkObjects(own.value, seen);
  }
}

/** A sample with some bytes changed, cut, or random altogether. */
function mutant(next: () => number, from: readonly Uint8Array[]): Buffer {
  const choice = next() % 8;
  if (choice === 0) return Buffer.from(Array.from({ length: next() % 40 }, () => next() & 255));
  const bytes = Buffer.from(from[next() % from.length] as Uint8Array);
  const changes = 1 + (next() % 4);
  for (let i = 0; i < changes; i++) bytes[next() % bytes.length] = next() & 255;
  return choice === 1 ? bytes.subarray(0, next() % bytes.length) : bytes;
}

test('50,000 broken frames are accepted as ordinary data or refused, never anything else', () => {
  const next = generator(20_261_125);
  const from = samples();
  let accepted = 0;
  for (let i = 0; i < 50_000; i++) {
    const bytes = mutant(next, from);
    try {
      checkObjects(decodeFrames(bytes));
      accepted++;
    } catch (thrown) {
      if ((thrown as { code?: string }).code !== 'ERR_ELSEWHERE_PROTOCOL')
        assert.fail(`${bytes.toString('hex')}: ${String((thrown as Error).stack)}`);
    }
  }
  assert.ok(accepted > 1000 && accepted < 49_000, `${accepted} were accepted`);
  assert.deepEqual(snapshot(), before);
});

test.run();

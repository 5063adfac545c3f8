/** Whatever bytes come: they decode to plain data or are refused with ERR_ELSEWHERE_PROTOCOL, whichever tags are in them. */
import assert from 'node:assert/strict';
import { decodeFrames, PendingFrame } from '../../src/wire/codec.ts';
import { EXT_BOXED, EXT_BYTES } from '../../src/wire/guard.ts';
import { Sealed } from '../../src/wire/sealed.ts';
import { Tag } from '../../src/wire/tags.ts';
import { assertIntact, intrinsics } from '../kit/intact.ts';
import { fc } from '../kit/random.ts';
import { suite } from '../kit/suite.ts';
import { extension, list, returnOf, text } from './messages.ts';

const test = suite('wire/garbage', { limit: 30_000 });

/** True if it decodes, and what is sealed opens. */
function decodes(body: Uint8Array): boolean {
  try {
    for (const frame of decodeFrames(body)) {
      const whole = frame instanceof PendingFrame ? complete(frame) : frame;
      const value = whole.at(-1);
      if (value instanceof Sealed) value.open(() => null);
      if (typeof value === 'function') assert.fail('a function came out of bytes');
    }
    return true;
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error;
    assert.equal((error as { code?: string }).code, 'ERR_ELSEWHERE_PROTOCOL', String(error));
    return false;
  }
}

function complete(frame: PendingFrame): unknown[] {
  const bytes = frame.attachments.map(
    ({ id, length }) => [id, Buffer.alloc(Math.min(length, 100_000), 0xc0)] as const,
  );
  return frame.complete(new Map(bytes));
}

const TAGS = Object.values(Tag);
const WORDS = [
  '',
  '__proto__',
  'constructor',
  'then',
  'Error',
  'Float64Array',
  'g',
  '-12',
  'a://b',
];

/** Msgpack by hand: plain values, and boxed ones with these tags. */
const values = (tags: readonly number[]) =>
  fc.letrec<{ value: Buffer; plain: Buffer; boxed: Buffer }>((tie) => ({
    value: fc.oneof({ maxDepth: 5 }, tie('plain'), tie('boxed')),
    plain: fc.oneof(
      { maxDepth: 5 },
      fc.constantFrom(0xc0, 0xc2, 0xc3, 0xff).map((byte) => Buffer.of(byte)),
      fc.nat(127).map((byte) => Buffer.of(byte)),
      fc.double().map((number) => {
        const bytes = Buffer.alloc(9, 0xcb);
        bytes.writeDoubleBE(number, 1);
        return bytes;
      }),
      fc.oneof(fc.constantFrom(...WORDS), fc.string()).map((word) => text(word)),
      fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from([0xc4, bytes.length, ...bytes])),
      fc.array(tie('value'), { maxLength: 4 }).map((items) => list(...items)),
    ),
    boxed: fc.oneof(
      fc
        .tuple(fc.constantFrom(...tags), fc.array(tie('value'), { maxLength: 5 }))
        .map(([tag, fields]) => extension(EXT_BOXED, list(tag, ...fields))),
      fc
        .tuple(fc.nat(9), fc.nat(100))
        .map(([id, length]) => extension(EXT_BYTES, list(id, length))),
    ),
  }));

test('each tag by itself, with fields of every kind', () => {
  const before = intrinsics();
  for (const tag of TAGS) {
    const { boxed } = values([tag]);
    void fc.assert(
      fc.property(boxed, (bytes) => {
        decodes(returnOf(bytes));
      }),
      { numRuns: 150 },
    );
  }
  assertIntact(before);
});

test('all tags together, sealed or in tables', () => {
  const before = intrinsics();
  let accepted = 0;
  const { value } = values(TAGS);
  const places = fc.constantFrom<(bytes: Buffer) => Buffer>(
    (bytes) => bytes,
    (bytes) => extension(EXT_BOXED, list(Tag.SEALED, bytes)),
    (bytes) => extension(EXT_BOXED, list(Tag.GRAPH, list(bytes, bytes))),
  );
  void fc.assert(
    fc.property(value, places, (bytes, place) => {
      if (decodes(returnOf(place(bytes)))) accepted++;
    }),
    { numRuns: 3000 },
  );
  assert.ok(accepted > 300, `${accepted} decoded: too wild`);
  assertIntact(before);
});

test('bytes of any kind', () => {
  void fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (bytes, framed) => {
      decodes(framed ? returnOf(Buffer.from(bytes)) : bytes);
    }),
    { numRuns: 3000 },
  );
});

test.run();

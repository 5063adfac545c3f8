/** Mutated frames against the decoder and the objects behind it: what may come of them is an error, never anything else. */
import assert from 'node:assert/strict';
import { MethodTable } from '../../src/connection/methods.ts';
import { ObjectSession } from '../../src/objects/session.ts';
import { Service, serveService } from '../../src/service/service.ts';
import { registerClass } from '../../src/wire/classes.ts';
import { decodeFrames, encodeFrame, joinFrames, PendingFrame } from '../../src/wire/codec.ts';
import { Sealed } from '../../src/wire/sealed.ts';
import { mutated, randomNumbers } from './mutation.ts';

export interface FuzzReport {
  readonly frames: number;
  /** Decoded although they were mutated. */
  readonly accepted: number;
  /** Carried out by the object layer, without an error. */
  readonly carriedOut: number;
  /** Milliseconds of the slowest. */
  readonly slowest: number;
}

/** What all attachments bring. */
const ATTACHED: Buffer = Buffer.alloc(1 << 17);

/** Milliseconds: what seems to take longer is looked at again. */
const SLOW = 10;

/** Arrives as an instance, without its constructor. */
class Point {
  x = 1;
  constructor() {
    created++;
  }
}
let created = 0;
registerClass(Point, { name: 'fuzz.Point' });

class Victim extends Service {
  static override exposed = ['add', 'echo', 'items', 'call', 'self'] as const;
  add(a: number, b: number): number {
    return a + b;
  }
  echo(value: unknown): unknown {
    return value;
  }
  *items(): Generator<number> {
    yield* [1, 2, 3];
  }
  call(f: unknown): unknown {
    return typeof f;
  }
  self(): Victim {
    return this;
  }
}

function newSession(sent: (method: string, args: readonly unknown[]) => void): {
  objects: ObjectSession;
  methods: MethodTable;
} {
  const methods = new MethodTable();
  const objects = new ObjectSession({
    methods,
    description: 'fuzz',
    request: (method, args) => {
      sent(method, args);
      return 0;
    },
    notify: (method, args) => sent(method, args),
    cancel: () => undefined,
    hold: () => undefined,
    release: () => undefined,
  });
  return { objects, methods };
}

/** Frames as a well-behaved client makes them. */
function seeds(): Buffer[] {
  const found: Buffer[] = [];
  const add = (frame: readonly unknown[]): void =>
    void found.push(Buffer.from(encodeFrame(frame, () => 7)));
  const { objects } = newSession((method, args) => add([1, found.length, method, args]));
  const root = objects.root('root') as Record<string, (...args: unknown[]) => unknown>;
  const shared = { x: 1 };
  const quiet = (call: unknown): void =>
    void (call as PromiseLike<unknown>).then(undefined, () => undefined);
  quiet(root['add']?.(1, 2));
  quiet(
    root['echo']?.({
      a: [1, -0, 2n ** 70n, 'x'],
      d: new Date(1),
      m: new Map([[1, shared]]),
      s: new Set([shared]),
    }),
  );
  quiet(root['call']?.(() => 1));
  quiet(root['call']?.(root['self']));
  const self = root['self']?.() as typeof root;
  quiet(self['add']?.(1, 2));
  void (root['items'] as unknown as AsyncIterable<unknown>)
    [Symbol.asyncIterator]()
    .next()
    .catch(() => undefined);
  const point = new Point();
  created = 0;
  for (const value of [
    point,
    'half \ud83d',
    { 'half \udc00': new Map([['\ud800', shared]]) },
    [new DataView(new ArrayBuffer(3)), new ArrayBuffer(5), new BigUint64Array([1n])],
    new AggregateError([new TypeError('\ud800'), 1], 'many'),
    new Array(9000).fill(['so that it travels apart, as it is too large for a packet', shared]),
    new RangeError('x', { cause: new Error('y') }),
    /a+/gi,
    new URL('http://a/b'),
    new Float64Array([1, 2]),
    [shared, shared],
    Object.assign(new Array(5), { 2: 'x' }),
    Object('x'),
    Buffer.alloc(100_000),
    'y'.repeat(100_000),
  ])
    add([2, 7, value]);
  add([5, 'object.release', [0, 1, 1, 2, 1]]);
  add([7, 1, { x: 1 }]);
  return found;
}

const PLAIN: ReadonlySet<unknown> = new Set(
  [
    Object,
    Array,
    Map,
    Set,
    Date,
    RegExp,
    URL,
    ArrayBuffer,
    Buffer,
    Uint8Array,
    Float64Array,
    Error,
    Point,
    String,
    Number,
    Boolean,
    BigInt,
  ].map((builtin) => builtin.prototype),
);

/** Nothing of another kind may come out of bytes. */
function checkPlain(value: unknown, depth = 0): void {
  if (typeof value === 'function') assert.fail('a function came out of bytes');
  if (typeof value !== 'object' || value === null || depth > 8) return;
  if (value instanceof Sealed)
    return checkPlain(
      attempt(() => value.open(() => null)),
      depth + 1,
    );
  const proto: unknown = Object.getPrototypeOf(value);
  if (!PLAIN.has(proto) && !(value instanceof Error) && !ArrayBuffer.isView(value))
    assert.fail(`an object of a foreign class came out of bytes: ${String(proto)}`);
  if (ArrayBuffer.isView(value)) return;
  const parts =
    value instanceof Map
      ? [...value].flat(1)
      : value instanceof Set
        ? [...value]
        : Object.values(value);
  for (const part of parts.slice(0, 50)) checkPlain(part, depth + 1);
}

/** Throws where anything but a refusal comes of it. */
export async function fuzz(count: number, seed: number): Promise<FuzzReport> {
  const random = randomNumbers(seed);
  const bases = seeds();
  let victim = newVictim();
  let [accepted, carriedOut, slowest] = [0, 0, 0];
  for (let i = 0; i < count; i++) {
    const base = bases[random(bases.length)] as Buffer;
    const other = bases[random(bases.length)] as Buffer;
    const frame = mutated(base, other, random);
    const body = joinFrames([frame], frame.length);
    const one = (): number => {
      const start = performance.now();
      const frames = attempt(() => decodeFrames(Buffer.from(body)));
      accepted += frames?.length ?? 0;
      for (const decoded of frames ?? []) carriedOut += carryOut(decoded, victim);
      return performance.now() - start;
    };
    let time = one();
    // Another process may have had the processor meanwhile.
    for (let again = 0; again < 5 && time > SLOW; again++) time = Math.min(time, one());
    slowest = Math.max(slowest, time);
    // What was begun may fail meanwhile; and one peer does not live for ever.
    if (i % 500 === 499) await new Promise((resolve) => setImmediate(resolve));
    if (i % 5000 === 4999) victim = newVictim();
  }
  assert.equal(created, 0, 'no constructor ran');
  return { frames: count, accepted, carriedOut, slowest };
}

function newVictim(): MethodTable {
  const { objects, methods } = newSession(() => undefined);
  serveService(objects, { source: Victim, peer: { id: 'fuzz' }, ended: () => undefined });
  return methods;
}

function carryOut(frame: unknown[] | PendingFrame, methods: MethodTable): number {
  const whole =
    frame instanceof PendingFrame
      ? attempt(() =>
          frame.complete(
            new Map(frame.attachments.map(({ id, length }) => [id, ATTACHED.subarray(0, length)])),
          ),
        )
      : frame;
  if (whole === undefined) return 0;
  const last = whole[whole.length - 1];
  checkPlain(attempt(() => (last instanceof Sealed ? last.open(() => null) : last)));
  const method = whole[0] === 1 ? whole[2] : whole[0] === 5 ? whole[1] : undefined;
  if (typeof method !== 'string' || !Array.isArray(last)) return 0;
  const answer = attempt(() => methods.invoke(method, last, undefined));
  if (answer instanceof Promise) answer.catch(() => undefined);
  return answer === undefined ? 0 : 1;
}

/** Errors are what is wanted; anything else that is thrown is not. */
function attempt<R>(work: () => R): R | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error;
    // A sealed failure of the object layer holds the error.
    const thrown = (error as { value?: unknown }).value ?? error;
    assert.ok(thrown instanceof Error, `not an error: ${String(thrown)}`);
    assert.ok(
      !/Maximum call stack|Invalid array length|out of memory/.test(thrown.message),
      thrown.stack,
    );
    return undefined;
  }
}

/** How values cross: which of them become references, and what references become on arrival. */
import { Duplex, Readable, Writable } from 'node:stream';
import { nameByPrototype } from '../wire/classes.ts';
import { ByValue, type Fields, Referring, Sealed } from '../wire/sealed.ts';
import { type Access, isIterator } from './access.ts';
import { settlesLater } from './blocking.ts';
import type { Export, Exports } from './exports.ts';
import { exposuresOf } from './exposure.ts';
import type { Imports } from './imports.ts';
import { ByReference, Restricted } from './marks.ts';
import { Operation, Shape, type ShapeName, type TargetName } from './operation.ts';
import { type Caller, newReference, type Place, placeOf } from './reference.ts';
import { OBJECTS, readableAt, WritableEnd, writableAt } from './streams.ts';

const MAX_LABEL = 64;

export interface CarrierOptions {
  readonly exports: Exports;
  readonly imports: Imports;
  readonly caller: Caller;
  /** Tells the other side that a signal it holds was aborted. */
  aborted(id: number, reason: unknown): void;
  /** The value of ours that a path names. */
  find(target: TargetName, path: readonly string[], access: Access): unknown;
}

interface Manner {
  /** Whether errors inside keep their stacks. Default true. */
  readonly stacks?: boolean;
  /** This thread is blocked, so that a promise of ours would never settle. Default false. */
  readonly atOnce?: boolean;
}

export class Carrier {
  readonly #options: CarrierOptions;
  /** Objects of Node that stand for references here: they go home as what they stand for. */
  readonly #standIns = new WeakMap<object, number>();
  readonly #controllers = new WeakMap<AbortSignal, AbortController>();
  readonly #writables = new WeakMap<Writable, WritableEnd>();

  constructor(options: CarrierOptions) {
    this.#options = options;
  }

  /** A value that may hold references, ready for the wire. `access` says what the other side may do with them. */
  seal(value: unknown, access: Access, { stacks = true, atOnce = false }: Manner = {}): unknown {
    if (isScalar(value)) return value;
    const { exports } = this.#options;
    let used: Map<number, Export> | undefined;
    const refer = (object: object): Fields | undefined => {
      used ??= new Map();
      const fields = this.#refer(object, access, used);
      if (atOnce && fields?.[0] === Shape.PROMISE) throw settlesLater();
      return fields;
    };
    return new Referring(
      value,
      refer,
      (sent) => {
        for (const entry of used?.values() ?? []) {
          if (sent) entry.count++;
          else exports.dropUnsent(entry.id);
        }
      },
      stacks,
    );
  }

  /** What arrived, with references in place. Paths to our own objects are followed with `access`. */
  open(value: unknown, access: Access): unknown {
    if (!(value instanceof Sealed)) return value;
    const seen = new Map<number, object>();
    return value.open((fields) => this.#resolve(fields, access, seen));
  }

  #refer(object: object, access: Access, used: Map<number, Export>): Fields | undefined {
    const place = placeOf(object);
    if (place !== undefined && place.caller === this.#options.caller)
      return home(place, (promise) => this.#refer(promise, access, used));
    const standIn = this.#standIns.get(object);
    if (standIn !== undefined) return [Shape.YOURS, standIn, []];
    const shape = shapeOf(object, access);
    if (shape === undefined) return undefined;
    const target = this.#targetOf(object, shape);
    const entry = this.#options.exports.add(target, access);
    used.set(entry.id, entry);
    if (shape === Shape.SIGNAL) this.#watch(entry, object as AbortSignal);
    return [shape, entry.id, labelOf(object, shape)];
  }

  #targetOf(object: object, shape: ShapeName): object {
    if (object instanceof ByReference && placeOf(object.value) !== undefined) return object.value;
    if (shape !== Shape.WRITABLE) return object;
    const writable = object as Writable;
    const end = this.#writables.get(writable) ?? new WritableEnd(writable);
    this.#writables.set(writable, end);
    return end;
  }

  #watch(entry: Export, signal: AbortSignal): void {
    if (entry.freed !== undefined) return;
    const tell = (): void => this.#options.aborted(entry.id, signal.reason);
    entry.freed = () => signal.removeEventListener('abort', tell);
    // Aborted before: told behind the frame that hands it over.
    if (signal.aborted) process.nextTick(tell);
    else signal.addEventListener('abort', tell, { once: true });
  }

  #resolve(fields: Fields, access: Access, seen: Map<number, object>): unknown {
    const [shape, id, third] = fields;
    if (shape === Shape.YOURS) return this.#options.find(id as TargetName, asPath(third), access);
    if (typeof id !== 'number' || typeof third !== 'string' || !isShape(shape))
      throw new TypeError('the other side sent a malformed reference');
    // One frame counts once, however often it names the same object.
    const known = seen.get(id);
    if (known !== undefined) return known;
    const object = this.#options.imports.receive(id, () => this.#make(shape, id, printable(third)));
    seen.set(id, object);
    return object;
  }

  #make(shape: ShapeName, id: number, label: string): object {
    const { caller } = this.#options;
    const place: Place = { caller, target: id, path: [], label, shape };
    const made = this.#standInFor(place);
    if (made === undefined) return newReference(place);
    this.#standIns.set(made, id);
    return made;
  }

  #standInFor(place: Place): object | undefined {
    switch (place.shape) {
      case Shape.PROMISE:
        return settlement(place);
      case Shape.READABLE:
        return readableAt(place);
      case Shape.WRITABLE:
        return writableAt(place);
      case Shape.SIGNAL: {
        const controller = new AbortController();
        this.#controllers.set(controller.signal, controller);
        return controller.signal;
      }
      default:
        return undefined;
    }
  }

  /** A signal of the other side has been aborted. */
  abort(id: unknown, reason: unknown): void {
    const signal = typeof id === 'number' ? this.#options.imports.get(id) : undefined;
    if (signal instanceof AbortSignal) this.#controllers.get(signal)?.abort(reason);
  }
}

/** What is printed here must not drive the terminal. */
function printable(label: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are meant.
  return label.slice(0, MAX_LABEL).replace(/[\u0000-\u001f\u007f-\u009f]/g, '?');
}

function isScalar(value: unknown): boolean {
  return (typeof value !== 'object' && typeof value !== 'function') || value === null;
}

/** Something of the receiver's own. A call under way goes as a promise of its result. */
function home(place: Place, refer: (promise: object) => Fields | undefined): Fields | undefined {
  if (place.result === undefined) return [Shape.YOURS, place.target, place.path];
  if (place.path.length > 0) return refer(place.caller.perform(place, Operation.GET, []).promise);
  // Whoever takes it hears of its failure.
  place.result.promise.catch(() => undefined);
  return refer(place.result.promise);
}

function settlement(place: Place): Promise<unknown> {
  const { promise } = place.caller.perform(place, Operation.SETTLE, []);
  // Whoever made it hears of its failure; here it may be nobody's business.
  promise.catch(() => undefined);
  return promise;
}

function shapeOf(object: object, access: Access): ShapeName | undefined {
  if (typeof object === 'function') return functionShape(object);
  if (object instanceof ByReference || object instanceof Restricted)
    return typeof object.value === 'function' ? Shape.FUNCTION : Shape.OBJECT;
  if (object instanceof Promise) return Shape.PROMISE;
  if (object instanceof AbortSignal) return Shape.SIGNAL;
  if (object instanceof Duplex) return Shape.OBJECT;
  if (object instanceof Readable) return Shape.READABLE;
  if (object instanceof Writable) return Shape.WRITABLE;
  if (isIterator(object)) return Shape.ITERATOR;
  if (access === 'open' || isExposed(object)) return Shape.OBJECT;
  throw new TypeError(
    `an instance of ${className(object)} exposes nothing to the other side: list names in its "static exposed", mark them @exposed, or hand over byRef(it), restricted(it, …) or byValue(it)`,
  );
}

/** References are functions too, whatever they stand for. */
function functionShape(fn: object): ShapeName {
  const place = placeOf(fn);
  return place === undefined || place.shape === 'f' ? Shape.FUNCTION : Shape.OBJECT;
}

function isExposed(object: object): boolean {
  return exposuresOf(object) !== undefined || 'addListener' in object;
}

function labelOf(object: object, shape: ShapeName): string {
  const value =
    object instanceof ByReference || object instanceof Restricted ? object.value : object;
  const elsewhere = placeOf(value);
  if (elsewhere !== undefined) return elsewhere.label.slice(0, MAX_LABEL);
  if (shape === Shape.READABLE) return (value as Readable).readableObjectMode ? OBJECTS : 'bytes';
  if (shape === Shape.WRITABLE) return (value as Writable).writableObjectMode ? OBJECTS : 'bytes';
  const name =
    typeof value === 'function' ? `Function ${nameOf(value) || '(anonymous)'}` : className(value);
  return name.slice(0, MAX_LABEL);
}

function className(object: object): string {
  const proto: unknown = Object.getPrototypeOf(object);
  const registered = nameByPrototype(proto as object | null);
  if (registered !== undefined) return registered;
  const Class: unknown =
    typeof proto === 'object' && proto !== null
      ? Object.getOwnPropertyDescriptor(proto, 'constructor')?.value
      : undefined;
  return (typeof Class === 'function' && nameOf(Class)) || 'Object';
}

/** Not through a getter, nor a trap. */
function nameOf(fn: object): string {
  const name: unknown =
    placeOf(fn) === undefined ? Object.getOwnPropertyDescriptor(fn, 'name')?.value : undefined;
  return typeof name === 'string' ? name : '';
}

const SHAPES: ReadonlySet<unknown> = new Set(Object.values(Shape));
function isShape(value: unknown): value is ShapeName {
  return SHAPES.has(value);
}

export function asPath(value: unknown): string[] {
  if (!Array.isArray(value) || !value.every((key) => typeof key === 'string'))
    throw new TypeError('the other side sent a path that is not a list of names');
  return value;
}

export { ByValue };

/**
 * Turns JavaScript values into what plain msgpack can carry: special values become boxed extensions, large byte arrays
 * are detached. A plain tree of plain values is returned as it is, without a copy.
 */
import { ElsewhereError, isElsewhereError } from '../base/errors.ts';
import { nameByPrototype } from './classes.ts';
import { MAX_KEY_BYTES, MAX_DEPTH as MAX_WIRE_DEPTH } from './guard.ts';
import { Limit } from './message.ts';
import { ByValue, type Referring } from './sealed.ts';
import { ERRORS, MAX_BIGINT_DIGITS, MAX_SPARSE, MAX_STACK, Tag, VIEWS } from './tags.ts';

/** An extension of ours with its packed payload. */
export class Boxed {
  readonly payload: Uint8Array;
  constructor(payload: Uint8Array) {
    this.payload = payload;
  }
}

/** The place of a detached byte array: its payload is [stream id, length]. */
export class BoxedBytes {
  readonly payload: Uint8Array;
  constructor(payload: Uint8Array) {
    this.payload = payload;
  }
}

export type Pack = (value: unknown) => Uint8Array;
export type Detach = (bytes: Uint8Array) => number;

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;
const MAX_DEPTH = 48;
/** Levels of msgpack that a tree may have, so that it stays under the other side's guard: a boxed value takes three. */
const MAX_LEVELS = MAX_WIRE_DEPTH - 12;
const BOXED_LEVELS = 3;

/** One run over one value. `nodes` is set in graph mode: the table of containers by identity. */
export class Boxer {
  readonly #pack: Pack;
  readonly #detach: Detach;
  readonly #seen = new Set<object>();
  readonly #graph: { readonly nodes: unknown[]; readonly index: Map<object, number> } | undefined;
  readonly #path: string[] = [];
  readonly #referring: Referring | undefined;
  #levels = 0;
  /** What was detached, as it stands in the value. */
  readonly attached: BoxedBytes[] = [];
  /** A tree does not fit (an object was met a second time, nesting or a key over a limit): start again in graph mode. */
  shared = false;
  /** There are references inside. */
  referred = false;

  constructor(pack: Pack, detach: Detach, graph: boolean, referring?: Referring) {
    this.#referring = referring;
    this.#pack = pack;
    this.#detach = detach;
    this.#graph = graph ? { nodes: [], index: new Map() } : undefined;
  }

  /** In graph mode: the whole value as one boxed table. */
  table(value: unknown): unknown {
    const graph = this.#graph as { nodes: unknown[] };
    this.value(value);
    return this.#tagged([Tag.GRAPH, graph.nodes]);
  }

  value(value: unknown): unknown {
    switch (typeof value) {
      case 'number':
        return value === 0 && Object.is(value, -0) ? this.#tagged([Tag.NEGATIVE_ZERO]) : value;
      case 'string':
        return this.#string(value);
      case 'bigint':
        return this.#bigint(value);
      case 'function':
        return this.#handle(value) ?? this.#refuse('a function');
      case 'symbol':
        return this.#refuse('a symbol');
      case 'object':
        return value === null ? null : this.#object(value);
      default:
        return value;
    }
  }

  #string(value: string): unknown {
    if (!value.isWellFormed())
      return this.#tagged([Tag.UTF16, this.#bytes(Buffer.from(value, 'utf16le'))]);
    if (value.length <= Limit.INLINE_BYTES / 3) return value;
    if (Buffer.byteLength(value) <= Limit.INLINE_BYTES) return value;
    return this.#tagged([Tag.TEXT, this.#bytes(Buffer.from(value))]);
  }

  #bigint(value: bigint): unknown {
    if (value >= INT64_MIN && value <= INT64_MAX) return value;
    const digits = value.toString();
    if (digits.length > MAX_BIGINT_DIGITS) {
      throw new ElsewhereError(
        'ERR_ELSEWHERE_LIMIT',
        'a bigint of more than 256 bytes cannot travel',
      );
    }
    return this.#tagged([Tag.BIGINT, digits]);
  }

  #object(value: object): unknown {
    // Buffers are the most common objects on the wire and need no identity.
    if (Buffer.isBuffer(value)) return this.#bytes(value);
    if (this.#path.length > MAX_DEPTH) return this.#refuse('a value nested deeper than 48 levels');
    if (this.#graph !== undefined) return this.#node(value, this.#graph);
    if (this.#seen.has(value) || this.#levels > MAX_LEVELS) this.shared = true;
    if (this.shared) return null;
    this.#seen.add(value);
    const levels = this.#levels;
    this.#levels += isPlain(value) ? 1 : BOXED_LEVELS;
    const content = this.#content(value);
    this.#levels = levels;
    return content;
  }

  #node(value: object, graph: { nodes: unknown[]; index: Map<object, number> }): unknown {
    let index = graph.index.get(value);
    if (index === undefined) {
      index = graph.nodes.push(null) - 1;
      graph.index.set(value, index);
      graph.nodes[index] = this.#content(value);
    }
    return this.#tagged([Tag.REF, index]);
  }

  #content(value: object): unknown {
    if (Array.isArray(value)) return this.#array(value);
    if (isPlain(value)) return this.#record(value);
    return this.#special(value);
  }

  #array(value: readonly unknown[]): unknown {
    let copy: unknown[] | undefined =
      this.#graph === undefined ? undefined : new Array(value.length);
    for (let i = 0; i < value.length; i++) {
      const item = value[i];
      if (item === undefined && !(i in value)) return this.#sparse(value);
      const boxed =
        typeof item === 'object' || typeof item === 'function'
          ? this.#at(String(i), item)
          : this.value(item);
      if (copy === undefined && boxed !== item) copy = value.slice();
      if (copy !== undefined) copy[i] = boxed;
    }
    return this.#graph === undefined ? (copy ?? value) : this.#tagged([Tag.ARRAY, copy]);
  }

  #sparse(value: readonly unknown[]): unknown {
    if (value.length > MAX_SPARSE)
      throw new ElsewhereError(
        'ERR_ELSEWHERE_LIMIT',
        `an array with holes may have at most ${MAX_SPARSE} places`,
      );
    const entries: unknown[] = [];
    for (const key of Object.keys(value)) {
      const index = Number(key);
      if (Number.isInteger(index)) entries.push(index, this.#at(key, value[index]));
    }
    return this.#tagged([Tag.SPARSE, value.length, entries]);
  }

  /** Own enumerable properties with string keys, as structured clone takes them. */
  #record(value: object): unknown {
    const copy: Record<string, unknown> = {};
    const entries: unknown[] = [];
    for (const key of Object.keys(value)) {
      if (key === '__proto__') return this.#refuse('a key named __proto__');
      const boxed = this.#at(key, (value as Record<string, unknown>)[key]);
      if (key.length > MAX_KEY_BYTES / 3 || !key.isWellFormed()) this.shared = true;
      if (this.#graph === undefined) copy[key] = boxed;
      else entries.push(this.#string(key), boxed);
    }
    return this.#graph === undefined ? copy : this.#tagged([Tag.OBJECT, entries]);
  }

  #special(value: object): unknown {
    if (value instanceof Error) return this.#error(value);
    if (value instanceof Date) return this.#tagged([Tag.DATE, value.getTime()]);
    if (value instanceof RegExp)
      return this.#tagged([Tag.REGEXP, this.#string(value.source), value.flags]);
    if (value instanceof Map)
      return this.#tagged([Tag.MAP, this.#items([...value].flat(1), 'Map')]);
    if (value instanceof Set) return this.#tagged([Tag.SET, this.#items([...value], 'Set')]);
    if (isWrapped(value)) return this.#tagged([Tag.PRIMITIVE, this.value(value.valueOf())]);
    if (value instanceof URL) return this.#tagged([Tag.URL, value.href]);
    if (value instanceof ArrayBuffer)
      return this.#tagged([Tag.ARRAY_BUFFER, this.#bytes(Buffer.from(value))]);
    if (ArrayBuffer.isView(value)) return this.#view(value);
    if (value instanceof ByValue) return this.#record(value.value);
    const name = nameByPrototype(Object.getPrototypeOf(value), 'value');
    if (name !== undefined) return this.#instance(value, name);
    const handle = this.#handle(value);
    if (handle !== undefined) return handle;
    if (
      value instanceof Promise ||
      value instanceof WeakMap ||
      value instanceof WeakSet ||
      value instanceof WeakRef ||
      value instanceof SharedArrayBuffer
    ) {
      return this.#refuse(`a ${value.constructor.name}`);
    }
    return this.#record(value);
  }

  #instance(value: object, name: string): unknown {
    const entries = Object.keys(value).flatMap((key) => {
      if (key === '__proto__') return this.#refuse('a key named __proto__');
      return [this.#string(key), this.#at(key, (value as Record<string, unknown>)[key])];
    });
    return this.#tagged([Tag.INSTANCE, name, entries]);
  }

  #handle(value: object): unknown {
    const fields = this.#referring?.refer(value);
    if (fields === undefined) return undefined;
    this.referred = true;
    return this.#tagged([Tag.HANDLE, ...fields]);
  }

  #items(items: readonly unknown[], name: string): unknown[] {
    return items.map((item, i) => this.#at(`${name}[${i}]`, item));
  }

  #view(view: ArrayBufferView): unknown {
    const name = Object.prototype.toString.call(view).slice(8, -1);
    if (VIEWS[name] === undefined) return this.#refuse(`a ${name}`);
    return this.#tagged([
      Tag.VIEW,
      name,
      this.#bytes(Buffer.from(view.buffer, view.byteOffset, view.byteLength)),
    ]);
  }

  #error(error: Error): unknown {
    const name = isElsewhereError(error) ? 'ElsewhereError' : errorClass(error);
    const own: Record<string, unknown> = {};
    for (const key of Object.keys(error)) {
      const property = (error as unknown as Record<string, unknown>)[key];
      // What cannot travel is left out of an error: losing a property is better than losing the error.
      if (key !== '__proto__' && typeof property !== 'function' && typeof property !== 'symbol')
        own[key] = this.#at(key, property);
    }
    if (!(name in ERRORS) || Object.hasOwn(error, 'name')) own['name'] = this.value(error.name);
    const extras: unknown[] = [Object.hasOwn(error, 'cause'), this.#at('cause', error.cause)];
    if (error instanceof AggregateError) extras.push(this.#at('errors', error.errors));
    return this.#tagged([
      Tag.ERROR,
      name,
      this.#string(String(error.message)),
      this.#stack(error),
      this.#plain(own),
      extras,
    ]);
  }

  #stack(error: Error): unknown {
    if (this.#referring?.stacks === false) return '';
    return this.#string(String(error.stack ?? '').slice(0, MAX_STACK));
  }

  /** Properties that are boxed already, in a form that both modes keep. */
  #plain(own: Record<string, unknown>): unknown {
    return Object.entries(own).flatMap(([key, value]) => [this.#string(key), value]);
  }

  #bytes(bytes: Buffer): unknown {
    if (bytes.length <= Limit.INLINE_BYTES) return bytes;
    const place = new BoxedBytes(this.#pack([this.#detach(bytes), bytes.length]));
    this.attached.push(place);
    return place;
  }

  #at(key: string, value: unknown): unknown {
    this.#path.push(key);
    const boxed = this.value(value);
    this.#path.pop();
    return boxed;
  }

  #tagged(content: readonly unknown[]): Boxed {
    return new Boxed(this.#pack(content));
  }

  #refuse(what: string): never {
    const where = this.#path.length === 0 ? '' : ` (at ${this.#path.join('.')})`;
    throw new TypeError(
      `${what} cannot travel to the other side${where}: send data, or run the code where the value is`,
    );
  }
}

/** `Object(5)` and the like. */
function isWrapped(value: object): boolean {
  return [Number, String, Boolean, BigInt].some((Class) => value instanceof Class);
}

function isPlain(value: object): boolean {
  if (Array.isArray(value)) return true;
  const proto: unknown = Object.getPrototypeOf(value);
  return proto === Object.prototype || proto === null;
}

/** The registered or builtin class an error is of: any other subclass of the user's arrives as its nearest. */
function errorClass(error: Error): string {
  let level: object | null = Object.getPrototypeOf(error);
  for (; level !== null; level = Object.getPrototypeOf(level)) {
    const registered = nameByPrototype(level);
    if (registered !== undefined) return registered;
  }
  if (error instanceof AggregateError) return 'AggregateError';
  if (error instanceof DOMException) return 'DOMException';
  for (const [name, Class] of Object.entries(ERRORS))
    if (name !== 'Error' && error instanceof Class) return name;
  return 'Error';
}

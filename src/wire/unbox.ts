/** Turns decoded msgpack back into JavaScript values. Every shape is checked: the bytes are the peer's. */
import { ElsewhereError, type ElsewhereErrorCode } from '../base/errors.ts';
import { Boxed, BoxedBytes } from './box.ts';
import { prototypeByName } from './classes.ts';
import { guard, MAX_LARGE_NODES } from './guard.ts';
import { Limit } from './message.ts';
import { type Fields, Sealed } from './sealed.ts';
import { ERRORS, MAX_SPARSE, MAX_STACK, Tag, VIEWS } from './tags.ts';

/** Gives the bytes of an attachment, or an empty buffer while they are only being counted. */
export type Fetch = (id: number, length: number) => Buffer;
export type Unpack = (bytes: Uint8Array) => unknown;

type Node = { readonly tag: number; readonly fields: readonly unknown[]; readonly shell: unknown };

export class Unboxer {
  readonly #unpack: Unpack;
  readonly #fetch: Fetch;
  readonly #resolve: ((fields: Fields) => unknown) | undefined;
  #nodes: Node[] | undefined;

  /** `resolve` makes references; only what is sealed may have any. */
  constructor(unpack: Unpack, fetch: Fetch, resolve?: (fields: Fields) => unknown) {
    this.#unpack = unpack;
    this.#fetch = fetch;
    this.#resolve = resolve;
  }

  /** The last element of a frame: the one place for a value that travelled apart. */
  whole(value: unknown): unknown {
    if (!(value instanceof Boxed)) return this.value(value);
    const fields = list(this.#unpack(value.payload));
    return fields[0] === Tag.PACKED ? this.#large(fields) : this.value(value);
  }

  value(value: unknown): unknown {
    if (typeof value !== 'object' || value === null) return value;
    if (value instanceof Boxed) return this.#boxed(value);
    if (value instanceof BoxedBytes) return this.#attachment(value);
    if (value instanceof Uint8Array) return asBuffer(value);
    if (Array.isArray(value)) {
      for (let i = 0; i < value.length; i++) value[i] = this.value(value[i]);
      return value;
    }
    const record = value as Record<string, unknown>;
    for (const key of Object.keys(record)) record[key] = this.value(record[key]);
    if (this.#resolve !== undefined) dropThen(record);
    return record;
  }

  #attachment(value: BoxedBytes): Buffer {
    const [id, length] = list(this.#unpack(value.payload));
    if (!isCount(id) || !isCount(length)) throw malformed('an attachment');
    return this.#fetch(id, length);
  }

  #boxed(value: Boxed): unknown {
    const fields = list(this.#unpack(value.payload));
    const tag = fields[0];
    if (tag === Tag.GRAPH) return this.#graph(list(fields[1]));
    if (tag === Tag.REF) return this.#reference(fields[1]);
    if (tag === Tag.SEALED) return this.#seal(value.payload);
    if (typeof tag !== 'number') throw malformed('a boxed value');
    const shell = this.#create(tag, fields);
    this.#fill(tag, fields, shell);
    return shell;
  }

  /** Opened later, or never: by then the packet's memory may be in other use. */
  #seal(payload: Uint8Array): Sealed {
    if (this.#resolve !== undefined) throw malformed('a sealed value');
    const kept = Buffer.from(payload);
    return new Sealed((resolve) =>
      new Unboxer(this.#unpack, this.#fetch, resolve).value(list(this.#unpack(kept))[1]),
    );
  }

  /** Only counted before its bytes are there. */
  #large([, place, ...attached]: readonly unknown[]): unknown {
    if (!(place instanceof BoxedBytes)) throw malformed('a large value');
    const length = list(this.#unpack(place.payload))[1];
    if (typeof length !== 'number' || length > Limit.VALUE) throw malformed('a large value');
    const bytes = this.#attachment(place);
    if (bytes.length === 0) {
      for (const other of attached) if (other instanceof BoxedBytes) this.#attachment(other);
      return undefined;
    }
    guard(bytes, MAX_LARGE_NODES);
    return this.value(this.#unpack(bytes));
  }

  /** Shells first, contents afterwards: so references may lead anywhere. */
  #graph(boxes: unknown[]): unknown {
    if (this.#nodes !== undefined || boxes.length === 0) throw malformed('a table of values');
    const nodes = boxes.map((box): Node => {
      if (!(box instanceof Boxed)) {
        // Only plain data in a node of its own would get here, and the sender makes none.
        throw malformed('a table of values');
      }
      const fields = list(this.#unpack(box.payload));
      const tag = fields[0];
      if (typeof tag !== 'number' || tag === Tag.GRAPH || tag === Tag.REF)
        throw malformed('a table of values');
      return { tag, fields, shell: this.#create(tag, fields) };
    });
    this.#nodes = nodes;
    for (const { tag, fields, shell } of nodes) this.#fill(tag, fields, shell);
    this.#nodes = undefined;
    return nodes[0]?.shell;
  }

  #reference(index: unknown): unknown {
    const node = typeof index === 'number' ? this.#nodes?.[index] : undefined;
    if (node === undefined) throw malformed('a reference');
    return node.shell;
  }

  /** The value without what may refer to other values. */
  #create(tag: number, fields: readonly unknown[]): unknown {
    switch (tag) {
      case Tag.NEGATIVE_ZERO:
        return -0;
      case Tag.BIGINT:
        return bigint(fields[1]);
      case Tag.DATE:
        return new Date(number(fields[1]));
      case Tag.REGEXP:
        return regexp(this.#text(fields[1]), fields[2]);
      case Tag.URL:
        return url(fields[1]);
      case Tag.MAP:
        return new Map();
      case Tag.SET:
        return new Set();
      case Tag.PRIMITIVE:
        return primitive(this.value(fields[1]));
      case Tag.SPARSE:
        return holes(fields[1]);
      case Tag.ARRAY:
        return [];
      case Tag.OBJECT:
        return {};
      case Tag.ARRAY_BUFFER:
        return ownBuffer(this.#bytes(fields[1]));
      case Tag.VIEW:
        return view(fields[1], this.#bytes(fields[2]));
      case Tag.TEXT:
        return this.#bytes(fields[1]).toString();
      case Tag.UTF16:
        return this.#bytes(fields[1]).toString('utf16le');
      case Tag.HANDLE:
        if (this.#resolve === undefined) throw malformed('a reference');
        return this.#resolve(fields.slice(1));
      case Tag.INSTANCE:
        return Object.create(prototypeByName(text(fields[1]), 'value') ?? Object.prototype);
      case Tag.ERROR:
        return newError(text(fields[1]), this.#text(fields[2]), fields[4]);
      default:
        throw malformed(`a boxed value (${tag})`);
    }
  }

  #fill(tag: number, fields: readonly unknown[], shell: unknown): void {
    if (tag === Tag.ERROR) return this.#fillError(shell as Error, fields);
    if (tag === Tag.SPARSE) return this.#fillSparse(shell as unknown[], fields[2]);
    if (tag === Tag.INSTANCE) return this.#fillOwn(shell as object, fields[2]);
    if (tag !== Tag.MAP && tag !== Tag.SET && tag !== Tag.ARRAY && tag !== Tag.OBJECT) return;
    const items = list(fields[1]);
    for (let i = 0; i < items.length; i++) {
      if (tag === Tag.SET) (shell as Set<unknown>).add(this.value(items[i]));
      else if (tag === Tag.ARRAY) (shell as unknown[]).push(this.value(items[i]));
      else if (tag === Tag.MAP)
        (shell as Map<unknown, unknown>).set(this.value(items[i]), this.value(items[++i]));
      else define(shell as object, this.#text(items[i]), this.value(items[++i]));
    }
    if (tag === Tag.OBJECT && this.#resolve !== undefined) dropThen(shell as object);
  }

  #fillSparse(shell: unknown[], entries: unknown): void {
    const items = list(entries);
    for (let i = 0; i < items.length; i += 2) {
      const index = items[i];
      if (!isCount(index) || index >= shell.length) throw malformed('an array with holes');
      shell[index] = this.value(items[i + 1]);
    }
  }

  #fillOwn(shell: object, entries: unknown): void {
    const items = list(entries);
    for (let i = 0; i < items.length; i += 2)
      define(shell, this.#text(items[i]), this.value(items[i + 1]));
    if (this.#resolve !== undefined) dropThen(shell);
  }

  #fillError(error: Error, fields: readonly unknown[]): void {
    const own = list(fields[4]);
    for (let i = 0; i < own.length; i += 2) {
      const key = this.#text(own[i]);
      // Its class has a getter for the name.
      if (!(error instanceof DOMException && key === 'name'))
        define(error, key, this.value(own[i + 1]), key !== 'name');
    }
    const [hasCause, cause, errors] = list(fields[5]);
    if (hasCause === true) define(error, 'cause', this.value(cause), false);
    if (error instanceof AggregateError) define(error, 'errors', this.value(errors) ?? [], false);
    const stack = this.#text(fields[3]).slice(0, MAX_STACK);
    // Without one of its own it must not show where it was decoded.
    define(error, 'stack', stack === '' ? `${error.name}: ${error.message}` : stack, false);
  }

  /** Text, or one that is boxed since it is long or no UTF-8. */
  #text(value: unknown): string {
    return text(value instanceof Boxed ? this.#boxed(value) : value);
  }

  #bytes(value: unknown): Buffer {
    if (value instanceof BoxedBytes) return this.#attachment(value);
    if (value instanceof Uint8Array) return asBuffer(value);
    throw malformed('bytes');
  }
}

function newError(name: string, message: string, own: unknown): Error {
  if (name === 'ElsewhereError') return new ElsewhereError(codeOf(own), message);
  if (name === 'AggregateError') return new AggregateError([], message);
  if (name === 'DOMException') return new DOMException(message, text(ownOf(own, 'name')));
  const prototype = prototypeByName(name);
  if (prototype instanceof Error) return Object.setPrototypeOf(new Error(message), prototype);
  // The table has no prototype, so a name such as 'constructor' finds nothing.
  const Class = ERRORS[name] ?? Error;
  return new Class(message);
}

/** Among names and values by turns. */
function ownOf(own: unknown, name: string): unknown {
  const fields = list(own);
  return fields[fields.indexOf(name) + 1];
}

function codeOf(own: unknown): ElsewhereErrorCode {
  const code = ownOf(own, 'code');
  return (
    typeof code === 'string' && /^ERR_ELSEWHERE_[A-Z_]+$/.test(code)
      ? code
      : 'ERR_ELSEWHERE_PROTOCOL'
  ) as ElsewhereErrorCode;
}

/** A function of the peer in this place would be called by whoever awaits the object. */
function dropThen(record: object): void {
  const then = Object.getOwnPropertyDescriptor(record, 'then');
  if (typeof then?.value === 'function') Reflect.deleteProperty(record, 'then');
}

/** Never through a setter, and never to the prototype. */
function define(object: object, key: string, value: unknown, enumerable = true): void {
  if (key === '__proto__') throw malformed('a key named __proto__');
  Object.defineProperty(object, key, { value, enumerable, writable: true, configurable: true });
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Views need memory of their own: aligned, and not shared with other values. That of an attachment is nobody else's. */
function ownBuffer(bytes: Buffer): ArrayBuffer {
  if (bytes.length > Limit.INLINE_BYTES && bytes.length === bytes.buffer.byteLength)
    return bytes.buffer as ArrayBuffer;
  const copy = new ArrayBuffer(bytes.length);
  new Uint8Array(copy).set(bytes);
  return copy;
}

function view(name: unknown, bytes: Buffer): ArrayBufferView {
  const Class = VIEWS[text(name)];
  const size = (Class as { BYTES_PER_ELEMENT?: number } | undefined)?.BYTES_PER_ELEMENT ?? 1;
  if (Class === undefined || bytes.length % size !== 0) throw malformed('a view of bytes');
  return new Class(ownBuffer(bytes));
}

function primitive(value: unknown): object {
  if (typeof value === 'object' || value === undefined) throw malformed('a primitive value');
  return Object(value);
}

function holes(length: unknown): unknown[] {
  if (!isCount(length) || length > MAX_SPARSE) throw malformed('an array with holes');
  return new Array(length);
}

function regexp(source: unknown, flags: unknown): RegExp {
  try {
    return new RegExp(text(source), text(flags));
  } catch {
    throw malformed('a regular expression');
  }
}

function url(href: unknown): URL {
  try {
    return new URL(text(href));
  } catch {
    throw malformed('a URL');
  }
}

function bigint(digits: unknown): bigint {
  const written = text(digits);
  if (!/^-?\d{1,617}$/.test(written)) throw malformed('a bigint');
  return BigInt(written);
}

function text(value: unknown): string {
  if (typeof value === 'string') return value;
  throw malformed('something that is not text');
}

function number(value: unknown): number {
  if (typeof value === 'number') return value;
  throw malformed('something that is not a number');
}

function list(value: unknown): unknown[] {
  if (Array.isArray(value)) return value;
  throw malformed('something that is not a list');
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function malformed(what: string): ElsewhereError {
  return new ElsewhereError(
    'ERR_ELSEWHERE_PROTOCOL',
    `the peer broke the protocol: it sent ${what} that is malformed or out of place`,
  );
}

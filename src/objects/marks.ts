/** What a program says about one value: how it travels, and what of it the other side may use. */
import { ByValue } from '../wire/sealed.ts';

/** What is done with a member. */
export type Use = 'get' | 'set' | 'call' | 'delete';

/** Key of a method by which an object decides itself what of it the other side may use: see `DecidesAccess`. */
export const remoteAccess: unique symbol = Symbol.for('elsewhere.remoteAccess') as never;

export interface DecidesAccess {
  /**
   * Asked for each use of a member, in place of lists: true allows it, false denies it, undefined leaves it to the lists.
   * `constructor`, `prototype`, `__proto__` and what the language's own prototypes have are never asked about, nor is
   * anything in classic mode.
   */
  [remoteAccess](name: string, use: Use): boolean | undefined;
}

/** Travels by reference, whatever it is; the other side may use its public members. */
export class ByReference {
  readonly value: object;
  constructor(value: object) {
    this.value = value;
  }
}

/** What `restricted` lists. */
export interface Permissions {
  /** Names that can be read, or called if they are functions. */
  readonly get?: readonly string[];
  readonly set?: readonly string[];
  /** Names that can be called, but not read. */
  readonly call?: readonly string[];
}

/** A view of an object that is limited to some names. */
export class Restricted {
  readonly value: object;
  readonly get: ReadonlySet<string>;
  readonly set: ReadonlySet<string>;
  readonly call: ReadonlySet<string>;

  constructor(value: object, permissions: Permissions) {
    this.value = value;
    this.get = new Set(permissions.get);
    this.set = new Set(permissions.set);
    this.call = new Set(permissions.call);
  }
}

/**
 * Hands over `value` by reference although it is data: the other side works on this very object. Its own members and the
 * public ones of its class can be used there; names that begin with an underscore cannot.
 */
export function byRef<T extends object>(value: T): T {
  return views(value, 'byRef', (object) => new ByReference(object)) as unknown as T;
}

/** Hands over a copy of `value` by its own enumerable properties, although it is an instance of a class. */
export function byValue<T extends object>(value: T): T {
  return new ByValue(object(value, 'byValue')) as unknown as T;
}

/** Hands over `value` by reference with nothing but the listed names. */
export function restricted<T extends object>(value: T, permissions: Permissions): T {
  return new Restricted(object(value, 'restricted'), permissions) as unknown as T;
}

/** One view per object, so that it is known again when it is handed over twice. */
const known = new WeakMap<object, ByReference>();

function views(value: object, name: string, make: (value: object) => ByReference): ByReference {
  let view = known.get(object(value, name));
  if (view === undefined) {
    view = make(value);
    known.set(value, view);
  }
  return view;
}

function object<T extends object>(value: T, name: string): T {
  if ((typeof value === 'object' && value !== null) || typeof value === 'function') return value;
  throw new TypeError(`${name} needs an object or a function, not ${typeof value}`);
}

/**
 * References: proxies of what the other side holds. A proxy only records names until it is called, awaited or iterated;
 * printing it, comparing it or handing it to `JSON.stringify` asks nobody.
 */
import { inspect } from 'node:util';
import { prototypeByName } from '../wire/classes.ts';
import { checkedLimits, type Limits } from './limits.ts';
import { Operation, type ShapeName, type TargetName } from './operation.ts';

/** What a proxy sends its operations to. */
export interface Caller {
  perform(place: Place, operation: number, params: readonly unknown[]): Result;
  iterate(place: Place): AsyncIterator<unknown>;
  /** Without an answer. */
  tell(place: Place, operation: number, params: readonly unknown[]): void;
  letGo(reference: Place): void;
  /** 'ws://host:port', for printing. */
  readonly description: string;
}

/** A call under way: what it gives can be used before it is there. */
export interface Result {
  /** Its number; undefined when it never left. */
  readonly number: number | undefined;
  readonly promise: Promise<unknown>;
  settled: boolean;
  /** Counts what has been sent that needs it over there. */
  users: number;
}

/** What a proxy stands for. */
export interface Place {
  readonly caller: Caller;
  readonly target: TargetName;
  readonly path: readonly string[];
  /** Printed: 'Function add', 'Calc'. */
  readonly label: string;
  readonly shape: ShapeName | 'root';
  /** The call that gives the target. */
  readonly result?: Result | undefined;
  /** Of calls on it, and on its members. */
  readonly limits?: Limits | undefined;
  /** The reference that this one goes out from, which must not be given back before. */
  readonly origin?: unknown;
  released?: boolean | undefined;
}

const PLACE = Symbol('elsewhere.place');
type Placed = { readonly [PLACE]?: Place };

/** The place of a proxy of ours; undefined for any other value. Asks nobody. */
export function placeOf(value: unknown): Place | undefined {
  if ((typeof value !== 'function' && typeof value !== 'object') || value === null)
    return undefined;
  return (value as Placed)[PLACE];
}

/** True for a reference to something on another side, and for a path from one. */
export function isRemote(value: unknown): boolean {
  return placeOf(value) !== undefined;
}

/**
 * The same reference with limits for calls on it and on its members: `within(conn.root, { timeout: 100 }).add(1, 2)`.
 * What such a call gives has none. Throws TypeError for what is no reference, and for limits that are none.
 */
export function within<T>(reference: T, limits: Limits): T {
  const place = placeOf(reference);
  if (place === undefined) throw new TypeError('within needs a reference to the far side');
  return newReference({
    ...place,
    limits: checkedLimits(limits),
    origin: place.origin ?? reference,
  }) as T;
}

const BLANK = function elsewhere(): void {
  // Never called: the proxy's traps answer.
};

/**
 * What all proxies are made of: what differs is in their handlers, so that none takes more than it must. A constructor, so
 * that `new` works, without a property that a proxy would have to show; and an object, for what is awaited, not called.
 */
const CALLABLE: object = printed(BLANK.bind(undefined));
const AWAITED: object = printed({});

/** util.inspect looks at the target, so as to trigger no traps, and calls what it finds there with the proxy as `this`. */
function printed(target: object): object {
  return Object.assign(target, { [inspect.custom]: print });
}

export function newReference(place: Place): object {
  return new Proxy(CALLABLE, new Traps(place));
}

function print(this: unknown): string {
  const place = placeOf(this);
  return place === undefined ? '[Remote]' : printedPlace(place);
}

function printedPlace({ target, path, label, caller }: Place): string {
  const what = typeof target === 'number' ? `${label} #${target}` : label;
  return `[Remote ${[what, ...path].join('.')} via ${caller.description}]`;
}

/** The place of a member: in the same order of fields for all, which is what makes it quick. */
function memberOf(place: Place, key: string, origin: unknown = place.origin): Place {
  const { caller, target, path, label, shape, result, limits, released } = place;
  const longer = path.length === 0 ? [key] : [...path, key];
  return { caller, target, path: longer, label, shape, result, limits, origin, released };
}

/** Names that a program or Node looks for without meaning a remote member. */
const ABSENT: ReadonlySet<string> = new Set(['constructor', 'prototype', '__proto__', 'toJSON']);

/** What any code that was given a function may do with it. */
const LOCAL: ReadonlySet<string> = new Set(['apply', 'call', 'bind']);

class Traps implements ProxyHandler<object> {
  readonly #place: Place;

  constructor(place: Place) {
    this.#place = place;
  }

  get(_target: object, key: string | symbol, reference: unknown): unknown {
    const place = this.#place;
    if (typeof key === 'symbol') return symbolMember(place, key);
    if (key === 'then' || key === 'catch' || key === 'finally')
      return promiseMember(place, key, reference);
    if (ABSENT.has(key)) return undefined;
    if (place.shape === 'f' && place.path.length === 0 && LOCAL.has(key))
      return Reflect.get(Function.prototype, key);
    return child(place, key, reference);
  }

  set(_target: object, key: string | symbol, value: unknown): boolean {
    if (typeof key === 'symbol') return false;
    const { caller } = this.#place;
    caller.perform(memberOf(this.#place, key), Operation.SET, [value]);
    return true;
  }

  deleteProperty(_target: object, key: string | symbol): boolean {
    if (typeof key === 'symbol') return false;
    const { caller } = this.#place;
    caller.perform(memberOf(this.#place, key), Operation.DELETE, []);
    return true;
  }

  has(): boolean {
    return false;
  }

  apply(_target: object, _self: unknown, args: unknown[]): unknown {
    return called(this.#place, Operation.CALL, args);
  }

  construct(_target: object, args: unknown[]): object {
    return called(this.#place, Operation.CONSTRUCT, args);
  }

  defineProperty(): boolean {
    return false;
  }

  setPrototypeOf(): boolean {
    return false;
  }

  preventExtensions(): boolean {
    return false;
  }

  getPrototypeOf(): object | null {
    return prototypeByName(this.#place.label, 'reference') ?? Function.prototype;
  }

  getOwnPropertyDescriptor(): undefined {
    return undefined;
  }

  ownKeys(): string[] {
    return [];
  }
}

function symbolMember(place: Place, key: symbol): unknown {
  switch (key) {
    case PLACE:
      return place;
    case inspect.custom:
      return print;
    case Symbol.asyncIterator:
      return () => place.caller.iterate(place);
    case Symbol.toPrimitive:
      return () => printedPlace(place);
    case Symbol.dispose:
      return () => place.caller.letGo(place);
    case Symbol.asyncDispose:
      return async () => {
        if (place.released === true) return;
        await place.caller.perform(place, Operation.DISPOSE, []).promise;
        if (place.path.length === 0) place.caller.letGo(place);
      };
    default:
      return undefined;
  }
}

/** What a path ends in, or a call gives, can be awaited; a reference cannot, or `await` would ask for it again and again. */
function promiseMember(
  place: Place,
  key: 'then' | 'catch' | 'finally',
  reference: unknown,
): unknown {
  if (place.path.length === 0 && place.result === undefined)
    return key === 'then' ? undefined : child(place, key, reference);
  return (...args: never[]): unknown => {
    const promise =
      place.path.length === 0 && place.result !== undefined
        ? place.result.promise
        : place.caller.perform(place, Operation.GET, []).promise;
    return Reflect.apply(promise[key], promise, args);
  };
}

function child(place: Place, key: string, reference: unknown): object {
  return newReference(memberOf(place, key, place.origin ?? reference));
}

const NOWHERE: readonly string[] = [];

function called(place: Place, operation: number, args: readonly unknown[]): object {
  const { caller } = place;
  const result = caller.perform(place, operation, args);
  let { label } = place;
  for (const key of place.path) label += `.${key}`;
  const given: Place = {
    caller,
    target: result.number === undefined ? 'never' : [result.number],
    path: NOWHERE,
    label: `${label}()`,
    shape: 'o',
    result,
    limits: undefined,
    origin: undefined,
    released: undefined,
  };
  return new Proxy(AWAITED, new Traps(given));
}

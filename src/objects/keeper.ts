/** Carries out what the other side asks of our objects. */
import { ElsewhereError } from '../base/errors.ts';
import { ByValue } from '../wire/sealed.ts';
import {
  type Access,
  check,
  disposal,
  hasMember,
  isData,
  isIterator,
  listOf,
  member,
  memberNames,
  noMember,
  unmarked,
} from './access.ts';
import { Cursor } from './cursor.ts';
import type { Exports } from './exports.ts';
import { ByReference } from './marks.ts';
import { Operation, type TargetName } from './operation.ts';
import { type Place, placeOf } from './reference.ts';

/** Something that the other side can name without having been given it. */
export interface Root {
  readonly access: Access;
  /** Whether it has a member of that name, where that is not a matter of properties. */
  has?(name: string): boolean;
  start(path: readonly string[]): Start | Promise<Start>;
}

/** The value that a path begins with, and how many of its names that took. */
export interface Start {
  readonly value: unknown;
  readonly used: number;
}

interface Found {
  readonly value: unknown;
  readonly rest: readonly string[];
  readonly access: Access;
}

export interface Outcome {
  readonly value: unknown;
  readonly access: Access;
}

export class Keeper {
  readonly roots: Map<string, Root> = new Map();
  readonly #exports: Exports;
  /** What calls have given, for those that were made on it before it was there. */
  readonly #results = new Map<number, Outcome | Promise<Outcome>>();
  /** Asked for before the call itself has arrived: its arguments were large. */
  readonly #expected = new Map<number, (outcome: Outcome | Promise<Outcome>) => void>();

  /** Numbers below were given back. */
  #floor = 0;

  constructor(exports: Exports) {
    this.#exports = exports;
  }

  /** Keeps what call `number` gives until the other side has given its number back. */
  remember(number: number, outcome: Outcome | Promise<Outcome>): void {
    if (outcome instanceof Promise) outcome.catch(() => undefined);
    const expecting = this.#expected.get(number);
    if (expecting === undefined) this.#results.set(number, outcome);
    else {
      this.#expected.delete(number);
      this.#results.set(number, outcome);
      expecting(outcome);
    }
  }

  /** Numbers below `floor` are not named any more. */
  forget(floor: number): void {
    this.#floor = Math.max(this.#floor, floor);
    for (const number of this.#results.keys()) {
      if (number >= floor) return;
      this.#results.delete(number);
    }
  }

  perform(
    target: TargetName,
    path: readonly string[],
    operation: unknown,
    params: readonly unknown[],
  ): Outcome | Promise<Outcome> {
    const root = typeof target === 'string' ? this.roots.get(target) : undefined;
    const [name] = path;
    if (operation === Operation.HAS && root?.has !== undefined && name !== undefined)
      if (path.length === 1) return { value: root.has(name), access: root.access };
    const found = this.#find(target, path);
    if (found instanceof Promise)
      return found.then((late) => this.#carryOut(late, operation, params));
    return this.#carryOut(found, operation, params);
  }

  /** The value of a path of ours that the other side names in a value. */
  value(target: TargetName, path: readonly string[]): unknown {
    const found = this.#find(target, path);
    if (found instanceof Promise)
      throw new TypeError('what is not there yet cannot be handed over: await it first');
    return unmarked(
      found.rest.reduce((owner, key) => member(owner, key, 'get', found.access), found.value),
    );
  }

  #find(target: TargetName, path: readonly string[]): Found | Promise<Found> {
    if (typeof target === 'string') return this.#root(target, path);
    if (typeof target === 'number') {
      const entry = this.#exports.get(target);
      return { value: entry.target, rest: path, access: entry.access };
    }
    const found = ({ value, access }: Outcome): Found => ({ value, rest: path, access });
    const outcome = this.#result(target);
    return outcome instanceof Promise ? outcome.then(found) : found(outcome);
  }

  #result(target: readonly [number]): Outcome | Promise<Outcome> {
    const number: unknown = Array.isArray(target) ? target[0] : undefined;
    const known = this.#results.get(number as number);
    if (known !== undefined) return known;
    if (typeof number !== 'number' || !(number >= this.#floor))
      throw new ElsewhereError('ERR_ELSEWHERE_BAD_REFERENCE', 'the other side named no object');
    return new Promise((resolve) => this.#expected.set(number, resolve));
  }

  #root(name: string, path: readonly string[]): Found | Promise<Found> {
    const root = this.roots.get(name);
    if (root === undefined) throw noMember(name);
    const { access } = root;
    const begun = root.start(path);
    if (begun instanceof Promise)
      return begun.then(({ value, used }) => ({ value, rest: path.slice(used), access }));
    return { value: begun.value, rest: path.slice(begun.used), access };
  }

  #carryOut(
    found: Found,
    operation: unknown,
    params: readonly unknown[],
  ): Outcome | Promise<Outcome> {
    const { access } = found;
    const value = carryOut(found, operation, params, (cursor) => this.#keepCursor(cursor));
    return value instanceof Promise
      ? value.then((late) => ({ value: late, access }))
      : { value, access };
  }

  #keepCursor(cursor: Cursor): number {
    const entry = this.#exports.add(cursor, 'listed');
    entry.count = 1;
    entry.freed = () => void cursor.finish().catch(() => undefined);
    return entry.id;
  }
}

/** What is itself a reference, to a third side: asked there. Iterations have a cursor of their own on each side. */
function mayPassOn(owner: unknown, access: Access, operation: unknown): boolean {
  if (operation === Operation.ITERATE || operation === Operation.SETTLE) return false;
  return access === 'open' || owner instanceof ByReference;
}

function passOn(
  reference: unknown,
  place: Place,
  name: string | undefined,
  operation: number,
  params: readonly unknown[],
): unknown {
  if (name === undefined && operation === Operation.GET) return reference;
  const path = name === undefined ? place.path : [...place.path, name];
  return place.caller.perform({ ...place, path }, operation, params).promise;
}

type KeepCursor = (cursor: Cursor) => number;

function carryOut(
  { value, rest, access }: Found,
  operation: unknown,
  params: readonly unknown[],
  keep: KeepCursor,
): unknown {
  const last = rest.at(-1);
  const owner = rest
    .slice(0, -1)
    .reduce((object, key) => member(object, key, 'get', access), value);
  const elsewhere = placeOf(unmarked(owner));
  if (elsewhere !== undefined && mayPassOn(owner, access, operation))
    return passOn(unmarked(owner), elsewhere, last, operation as number, params);
  const get = (): unknown =>
    last === undefined ? unmarked(value) : member(owner, last, 'get', access);
  switch (operation) {
    case Operation.GET:
      return last === undefined ? value : get();
    case Operation.CALL:
      return call(owner, last, params, access);
    case Operation.CONSTRUCT:
      return construct(get(), params, access, last);
    case Operation.SET:
      return setMember(owner, last, params[0], access);
    case Operation.HAS:
      return last !== undefined && hasMember(owner, last, access);
    case Operation.DELETE:
      return deleteMember(owner, last, access);
    case Operation.KEYS:
      return memberNames(last === undefined ? value : get(), access);
    case Operation.SETTLE:
      return get();
    case Operation.ITERATE:
      return begin(get(), params[0], access, keep);
    case Operation.NEXT:
      return nextOf(value, params[0]);
    case Operation.COPY:
      return copyOf(last === undefined ? value : get(), access);
    case Operation.DISPOSE:
      return dispose(last === undefined ? value : get(), access);
    default:
      throw noMember(operation);
  }
}

function call(
  owner: unknown,
  name: string | undefined,
  args: readonly unknown[],
  access: Access,
): unknown {
  const fn = name === undefined ? unmarked(owner) : member(owner, name, 'call', access);
  if (typeof fn !== 'function')
    throw access === 'listed' && name !== undefined && fn === undefined
      ? noMember(name)
      : new TypeError(`${name ?? 'the value'} is not a function`);
  return Reflect.apply(fn, name === undefined ? undefined : unmarked(owner), args);
}

/** Classes of the other side's choice only where it may do anything; else those that say what they expose. */
function construct(
  Class: unknown,
  args: readonly unknown[],
  access: Access,
  name: string | undefined,
): unknown {
  if (typeof Class !== 'function')
    throw new TypeError(`${name ?? 'the value'} is not a constructor`);
  if (access === 'listed' && listOf(Class) === undefined) throw noMember(name ?? 'constructor');
  return Reflect.construct(Class, args);
}

function setMember(owner: unknown, name: string | undefined, value: unknown, access: Access): void {
  if (name === undefined) throw noMember('');
  check(owner, name, 'set', access);
  const object = unmarked(owner) as object;
  if (!Reflect.set(object, name, value)) throw new TypeError(`${name} cannot be set`);
}

function deleteMember(owner: unknown, name: string | undefined, access: Access): boolean {
  if (name === undefined || access === 'listed') throw noMember(name ?? '');
  check(owner, name, 'set', access);
  return Reflect.deleteProperty(unmarked(owner) as object, name);
}

async function begin(
  iterable: unknown,
  count: unknown,
  access: Access,
  keep: KeepCursor,
): Promise<unknown> {
  if (access === 'listed' && !mayIterate(iterable)) throw noMember('[Symbol.iterator]');
  const cursor = new Cursor(iterable);
  const [items, done] = await cursor.next(count);
  return [done ? -1 : keep(cursor), items, done];
}

async function dispose(value: unknown, access: Access): Promise<boolean> {
  const end = disposal(value, access);
  await end?.();
  return end !== undefined;
}

function mayIterate(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return typeof value === 'string';
  if (isData(value) || isIterator(value)) return true;
  return value instanceof Map || value instanceof Set || Symbol.asyncIterator in value;
}

function nextOf(value: unknown, count: unknown): unknown {
  if (!(value instanceof Cursor)) throw noMember('next');
  return value.next(count);
}

/** Only what would be no secret: own enumerable properties, as structured clone takes them. */
function copyOf(marked: unknown, access: Access): unknown {
  const value = unmarked(marked);
  if (typeof value === 'function')
    throw new TypeError('a function cannot be copied: call it where it is, or use teleport');
  if (typeof value !== 'object' || value === null || isData(value)) return value;
  if (access === 'listed') throw noMember('copy');
  return isCopied(value) ? value : new ByValue(value);
}

function isCopied(value: object): boolean {
  return (
    value instanceof Map ||
    value instanceof Set ||
    value instanceof Date ||
    value instanceof Error ||
    value instanceof RegExp ||
    value instanceof URL ||
    ArrayBuffer.isView(value) ||
    value instanceof ArrayBuffer
  );
}

/** What is done with an object of ours, once it is found. */

import { ByValue } from '../wire/sealed.ts';
import {
  type Access,
  check,
  disposal,
  exposureOf,
  hasMember,
  isData,
  isIterator,
  keyOf,
  member,
  memberNames,
  noMember,
  unmarked,
} from './access.ts';
import { Cursor } from './cursor.ts';
import { mayConstruct } from './exposure.ts';
import { checkExtent } from './extent.ts';
import { ByReference } from './marks.ts';
import { Operation } from './operation.ts';
import { type Place, placeOf } from './reference.ts';

/** A value, and the names that lead on from there. */
export interface Found {
  readonly value: unknown;
  readonly rest: readonly string[];
  readonly access: Access;
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

/** Who has something carried out. */
export interface Carrying {
  keepCursor(cursor: Cursor): number;
  /** What a call throws of which nobody hears. */
  unheard(error: unknown): void;
}

export function carryOut(
  { value, rest, access }: Found,
  operation: unknown,
  params: readonly unknown[],
  carrying: Carrying,
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
      return last === undefined ? value : shown(owner, last, get());
    case Operation.CALL:
      return call(owner, last, params, access, carrying);
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
      return begin(get(), params[0], access, carrying);
    case Operation.NEXT:
      return nextOf(value, params[0]);
    case Operation.COPY:
      return copyOf(last === undefined ? value : get(), access, params[0]);
    case Operation.DISPOSE:
      return dispose(last === undefined ? value : get(), access);
    default:
      throw noMember(operation);
  }
}

function shown(owner: unknown, name: string, value: unknown): unknown {
  return exposureOf(owner, name)?.byValue === true ? copied(value) : value;
}

function call(
  owner: unknown,
  name: string | undefined,
  args: readonly unknown[],
  access: Access,
  { unheard }: Carrying,
): unknown {
  const fn = name === undefined ? unmarked(owner) : member(owner, name, 'call', access);
  if (typeof fn !== 'function')
    throw access === 'listed' && name !== undefined && fn === undefined
      ? noMember(name)
      : new TypeError(`${name ?? 'the value'} is not a function`);
  const run = (): unknown =>
    Reflect.apply(fn, name === undefined ? undefined : unmarked(owner), args);
  const { oneway, byValue } = (name === undefined ? undefined : exposureOf(owner, name)) ?? {};
  if (oneway === true) return void (async () => run())().catch(unheard);
  return byValue === true ? copied(run()) : run();
}

/** A copy, where it would be a reference. */
function copied(given: unknown): unknown {
  if (given instanceof Promise) return given.then(copied);
  if (Array.isArray(given)) return given.map(copied);
  return typeof given !== 'object' || given === null || isData(given) || isCopied(given)
    ? given
    : new ByValue(given);
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
  if (access === 'listed' && !mayConstruct(Class)) throw noMember(name ?? 'constructor');
  return Reflect.construct(Class, args);
}

function setMember(owner: unknown, name: string | undefined, value: unknown, access: Access): void {
  if (name === undefined) throw noMember('');
  check(owner, name, 'set', access);
  const object = unmarked(owner) as object;
  if (!Reflect.set(object, keyOf(owner, name), value)) throw new TypeError(`${name} cannot be set`);
}

function deleteMember(owner: unknown, name: string | undefined, access: Access): boolean {
  if (name === undefined) throw noMember('');
  check(owner, name, 'delete', access);
  return Reflect.deleteProperty(unmarked(owner) as object, keyOf(owner, name));
}

async function begin(
  iterable: unknown,
  count: unknown,
  access: Access,
  { keepCursor }: Carrying,
): Promise<unknown> {
  if (access === 'listed' && !mayIterate(iterable)) throw noMember('[Symbol.iterator]');
  const cursor = new Cursor(iterable);
  const [items, done] = await cursor.next(count);
  return [done ? -1 : keepCursor(cursor), items, done];
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
function copyOf(marked: unknown, access: Access, most: unknown): unknown {
  const value = unmarked(marked);
  if (value instanceof Promise) return value.then((settled) => copyOf(settled, access, most));
  checkExtent(value, most);
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

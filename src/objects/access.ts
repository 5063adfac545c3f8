/**
 * Which members of an object the other side may use: the one place where a name from the wire meets an object. 'open' is
 * classic mode, whose user could run any code anyway; 'listed' is everything else.
 */
import { EventEmitter } from 'node:events';
import { ElsewhereError } from '../base/errors.ts';
import { type Exposure, exposuresOf, isBuiltin } from './exposure.ts';
import { ByReference, type DecidesAccess, Restricted, remoteAccess, type Use } from './marks.ts';

export type Access = 'open' | 'listed';
/** Ways to what the object was not asked to show. They do not exist for a peer, listed or not. */
const NEVER: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);
const EMITTER: ReadonlySet<string> = new Set([
  'on',
  'once',
  'off',
  'addListener',
  'removeListener',
  'emit',
]);
const ITERATOR: ReadonlySet<string> = new Set(['next', 'return', 'throw']);
/** What is handed over by reference although it is data is meant to be used as what it is. */
const CONTAINERS: ReadonlySet<object> = new Set([Array.prototype, Map.prototype, Set.prototype]);

/** The object behind the marks. */
export function unmarked(value: unknown): unknown {
  return value instanceof ByReference || value instanceof Restricted ? value.value : value;
}

/** A member's value. Throws ERR_ELSEWHERE_NO_METHOD for what is absent or not exposed, with one text for both. */
export function member(owner: unknown, key: string, use: Use, access: Access): unknown {
  check(owner, key, use, access);
  return Reflect.get(Object(unmarked(owner)), keyOf(owner, key), unmarked(owner));
}

/** What its class says about a member; undefined for most. */
export function exposureOf(owner: unknown, name: string): Exposure | undefined {
  return typeof owner === 'object' && owner !== null ? exposuresOf(owner)?.get(name) : undefined;
}

/** The member that a name of the other side means. */
export function keyOf(owner: unknown, name: string): string | symbol {
  return exposureOf(owner, name)?.key ?? name;
}

/** Throws unless the member may be used so. */
export function check(owner: unknown, key: string, use: Use, access: Access): void {
  if (typeof key !== 'string') throw noMember(key);
  if (NEVER.has(key)) throw noMember(key);
  if (owner === null || owner === undefined)
    throw new TypeError(`cannot use ${JSON.stringify(key)} of ${owner}`);
  if (access === 'listed' && !isListed(owner, key, use)) throw noMember(key);
}

/** Whether it has a member that may be read or called. */
export function hasMember(owner: unknown, key: string, access: Access): boolean {
  if (typeof key !== 'string' || NEVER.has(key) || owner === null || owner === undefined)
    return false;
  if (access === 'open') return key in Object(unmarked(owner));
  return isListed(owner, key, 'get') || isListed(owner, key, 'call');
}

/** Names that can be asked for. */
export function memberNames(owner: unknown, access: Access): string[] {
  const object = unmarked(owner);
  if (object === null || object === undefined) return [];
  const names = new Set(access === 'open' ? [] : exposedNames(owner));
  if (access === 'open' && typeof object === 'function')
    for (const key of Object.getOwnPropertyNames(object)) names.add(key);
  let level: object | null = Object(object);
  while (level !== null && !isBuiltin(level)) {
    for (const key of Object.getOwnPropertyNames(level)) names.add(key);
    level = Object.getPrototypeOf(level);
  }
  return [...names].filter((key) => hasMember(owner, key, access));
}

function exposedNames(owner: unknown): string[] {
  if (typeof owner !== 'object' || owner === null) return [];
  return [...(exposuresOf(owner)?.keys() ?? [])].filter((name) => typeof name === 'string');
}

function isListed(owner: unknown, key: string, use: Use): boolean {
  if (owner instanceof Restricted) return isPermitted(owner, key, use);
  const said = decision(unmarked(owner), key, use);
  if (said !== undefined) return said;
  // No list allows it.
  if (use === 'delete') return false;
  if (owner instanceof ByReference) return isPublic(owner.value, key);
  if (typeof owner === 'function') return false;
  if (typeof owner !== 'object' || owner === null) return false;
  const exposures = exposuresOf(owner);
  if (exposures !== undefined) return isExposed(owner, exposures.get(key), use);
  if (use === 'set') return false;
  if (owner instanceof EventEmitter) return EMITTER.has(key);
  if (isIterator(owner)) return ITERATOR.has(key) && key in owner;
  return isData(owner) && Object.hasOwn(owner, key);
}

/** What the object says itself, if it does. Members of the language's own prototypes stay out of reach. */
function decision(owner: unknown, key: string, use: Use): boolean | undefined {
  if (typeof owner !== 'object' || owner === null) return undefined;
  const { [remoteAccess]: decide } = owner as Partial<DecidesAccess>;
  const said = typeof decide === 'function' ? decide.call(owner, key, use) : undefined;
  if (said !== true) return said === undefined ? undefined : false;
  return use === 'set' || isDefined(owner, key);
}

function isExposed(owner: object, exposure: Exposure | undefined, use: Use): boolean {
  if (exposure === undefined || (use === 'set' && exposure.writable !== true)) return false;
  return isDefined(owner, exposure.key);
}

function isPermitted({ value, get, set, call }: Restricted, key: string, use: Use): boolean {
  if (use === 'set') return set.has(key);
  if (use === 'delete') return false;
  const isMethod = typeof Reflect.get(value, key) === 'function';
  return get.has(key) || (use === 'call' && isMethod && call.has(key));
}

/** Own members and those of its classes, up to the language's own. */
function isPublic(object: object, key: string): boolean {
  if (key.startsWith('_')) return false;
  if (object instanceof EventEmitter && EMITTER.has(key)) return true;
  const proto: object = Object.getPrototypeOf(object);
  if (CONTAINERS.has(proto) && Object.hasOwn(proto, key)) return true;
  return isDefined(object, key);
}

/** Whether the object or one of its classes has it, not the language. */
function isDefined(object: object, key: string | symbol): boolean {
  let level: object | null = object;
  while (level !== null && !isBuiltin(level)) {
    if (Object.hasOwn(level, key)) return true;
    level = Object.getPrototypeOf(level);
  }
  // Its own data, where the object is itself of the language: an array, a function.
  return level === object && Object.hasOwn(object, key);
}

/** How `await using` ends it, where the other side may do that: everything that is open, else what lists the symbol. */
export function disposal(owner: unknown, access: Access): (() => unknown) | undefined {
  const object = unmarked(owner);
  if (typeof object !== 'object' || object === null) return undefined;
  for (const symbol of [Symbol.asyncDispose, Symbol.dispose]) {
    const method: unknown = Reflect.get(object, symbol);
    if (typeof method !== 'function') continue;
    if (
      access === 'open' ||
      owner instanceof ByReference ||
      exposuresOf(object)?.has(symbol) === true
    )
      return () => Reflect.apply(method, object, []);
  }
  return undefined;
}

export function isIterator(value: object): boolean {
  const candidate = value as { next?: unknown; [Symbol.asyncIterator]?: unknown };
  return (
    typeof candidate.next === 'function' &&
    (Symbol.asyncIterator in value || Symbol.iterator in value)
  );
}

/** What would travel by value: its own members are no secret. */
export function isData(value: object): boolean {
  if (Array.isArray(value)) return true;
  const proto: unknown = Object.getPrototypeOf(value);
  return proto === Object.prototype || proto === null;
}

export function noMember(key: unknown): ElsewhereError {
  const name = typeof key === 'string' ? JSON.stringify(key.slice(0, 100)) : typeof key;
  return new ElsewhereError(
    'ERR_ELSEWHERE_NO_METHOD',
    `the other side offers no member named ${name}`,
  );
}

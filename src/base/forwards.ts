/**
 * Functions that stand in the place of Node's own from the start of a program, and lead to them until something is
 * substituted: whoever has taken one out of its module then comes to the substitute too. They cost a call, so that the
 * substitutes, and all the code behind them, can wait for the first scope.
 */
import { likeOriginal } from './shape.ts';

type AnyFunction = (this: unknown, ...args: unknown[]) => unknown;

interface Forward {
  readonly object: object;
  readonly key: PropertyKey;
  /** The object's own property before, if it had one. */
  readonly own: PropertyDescriptor | undefined;
  readonly original: AnyFunction;
  readonly placed: PropertyDescriptor;
  /** Where it leads. */
  current: AnyFunction;
}

const forwards: Forward[] = [];
const { apply } = Reflect;
/** Something is being substituted, or taken back: what is found then may not be Node's own. */
let changing = false;

/** Puts a forward in the place of a function; what is none stays. */
export function forward(object: object, key: PropertyKey): void {
  const original = (object as Record<PropertyKey, unknown>)[key];
  if (typeof original !== 'function' || changing) return;
  const own = Object.getOwnPropertyDescriptor(object, key);
  const made: Forward = {
    object,
    key,
    own,
    original: original as AnyFunction,
    placed: {
      writable: true,
      configurable: true,
      enumerable: own?.enumerable ?? false,
      value: leadingTo(() => made.current),
    },
    current: original as AnyFunction,
  };
  likeOriginal(original as AnyFunction, made.placed.value);
  forwardMembers(made);
  Object.defineProperty(object, key, made.placed);
  forwards.push(made);
}

function leadingTo(target: () => AnyFunction): AnyFunction {
  return function (...args) {
    return apply(target(), this, args);
  };
}

/** `process.hrtime.bigint`, `fs.realpath.native` and the like. */
function forwardMembers(made: Forward): void {
  for (const key of Reflect.ownKeys(made.original)) {
    const descriptor = Object.getOwnPropertyDescriptor(made.original, key) as PropertyDescriptor;
    const member: unknown = descriptor.value;
    if (typeof member !== 'function' || key === 'prototype' || !descriptor.configurable) continue;
    const value = leadingTo(() => Reflect.get(made.current, key) as AnyFunction);
    likeOriginal(member as AnyFunction, value);
    Object.defineProperty(made.placed.value, key, { ...descriptor, value });
  }
}

/** What the property was before there was a forward. */
export function unforwarded<T extends object, K extends keyof T>(object: T, key: K): T[K] {
  const found = forwards.find((known) => known.object === object && known.key === key);
  return found === undefined ? object[key] : (found.original as T[K]);
}

export function isForwarded(object: object, key: PropertyKey): boolean {
  return forwards.some((known) => known.object === object && known.key === key);
}

/** A copy of a module with Node's own functions. */
export function withoutForwards<T extends object>(module: T): T {
  const copy = { ...module };
  for (const { object, key, original } of forwards) {
    if (object === module) copy[key as keyof T] = original as T[keyof T];
  }
  return copy;
}

/**
 * Runs `change`, which substitutes things or takes substitutes away, on what there was before the forwards. Afterwards
 * they lead to what it has put in their places. What a program has put around a forward stays.
 */
export function beneathForwards(change: () => void): void {
  const around = forwards.map(lift);
  changing = true;
  try {
    change();
  } finally {
    changing = false;
    for (const [at, made] of forwards.entries()) settle(made, around[at]);
  }
}

/** Gives what a program has put in the forward's place. */
function lift({ object, key, own, placed, current }: Forward): PropertyDescriptor | undefined {
  const now = Object.getOwnPropertyDescriptor(object, key);
  if (own === undefined) Reflect.deleteProperty(object, key);
  else Object.defineProperty(object, key, own);
  return now?.value === placed.value || now?.value === current ? undefined : now;
}

function settle(made: Forward, around: PropertyDescriptor | undefined): void {
  const { object, key, original, placed } = made;
  made.current = (object as Record<PropertyKey, AnyFunction>)[key] as AnyFunction;
  if (around !== undefined) Object.defineProperty(object, key, around);
  // Else the substitute itself: nobody needs to come to it by way of the forward.
  else if (made.current === original) Object.defineProperty(object, key, placed);
}

/** What a program does with references besides calling them. */
import { Operation } from './operation.ts';
import { type Place, placeOf } from './reference.ts';
import type { Reference } from './types.ts';

/** Bytes. */
const LARGEST_COPY = 64 * 1024 * 1024;

/**
 * A copy of what a reference stands for, by its own enumerable properties. Anything else is returned as it is. `most`:
 * bytes that it may have; the far side refuses to copy more, with ERR_ELSEWHERE_LIMIT, and one that sends more all the
 * same ends the connection. Default: 64 MiB.
 */
export async function obtain<T>(
  reference: Reference<T> | T,
  { most = LARGEST_COPY }: { readonly most?: number } = {},
): Promise<T> {
  const place = placeOf(reference) ?? placeOf(await reference);
  if (place === undefined) return (await reference) as T;
  const limited = { ...place, limits: { ...place.limits, most } };
  return (await place.caller.perform(limited, Operation.COPY, [most]).promise) as T;
}

/** Gives a reference back now: using it afterwards fails with ERR_ELSEWHERE_BAD_REFERENCE. */
export function release(reference: unknown): void {
  const place = placeOf(reference);
  if (place === undefined) throw new TypeError('release needs a reference to the far side');
  place.caller.letGo(place);
}

/** Calls without waiting: resolves to nothing, and hears of no failure. */
export function oneway<A extends unknown[]>(method: (...args: A) => unknown): (...args: A) => void {
  const place = at(method);
  return (...args) => place.caller.tell(place, Operation.CALL, args);
}

/** `Reflect` for references: each asks the far side, and resolves with its answer. */
export const remoteReflect: {
  get(reference: unknown, key: string): Promise<unknown>;
  set(reference: unknown, key: string, value: unknown): Promise<void>;
  has(reference: unknown, key: string): Promise<boolean>;
  deleteProperty(reference: unknown, key: string): Promise<boolean>;
  ownKeys(reference: unknown): Promise<string[]>;
} = {
  get: (reference, key) => ask(reference, key, Operation.GET),
  set: async (reference, key, value) => void (await ask(reference, key, Operation.SET, [value])),
  has: async (reference, key) => (await ask(reference, key, Operation.HAS)) === true,
  deleteProperty: async (reference, key) => (await ask(reference, key, Operation.DELETE)) === true,
  ownKeys: async (reference) => {
    const place = at(reference);
    return (await place.caller.perform(place, Operation.KEYS, []).promise) as string[];
  },
};

function ask(
  reference: unknown,
  key: string,
  operation: number,
  params: readonly unknown[] = [],
): Promise<unknown> {
  const place = at(reference);
  return place.caller.perform({ ...place, path: [...place.path, key] }, operation, params).promise;
}

function at(reference: unknown): Place {
  const place = placeOf(reference);
  if (place === undefined) throw new TypeError('this needs a reference to the far side');
  return place;
}

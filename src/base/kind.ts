/** What a value that came from the other side must be: questions that the compiler understands, and ways to combine them. */
import { types } from 'node:util';

export type Kind<T> = (value: unknown) => value is T;

export const nothing: Kind<undefined> = (value) => value === undefined;
export const never: Kind<never> = (_value): _value is never => false;
export const flag: Kind<boolean> = (value) => typeof value === 'boolean';
export const text: Kind<string> = (value) => typeof value === 'string';
export const number: Kind<number> = (value) => typeof value === 'number';
export const bigint: Kind<bigint> = (value) => typeof value === 'bigint';
export const integer: Kind<number> = (value): value is number => Number.isSafeInteger(value);
/** An integer that is not negative: a size, a number of something, an id. */
export const count: Kind<number> = (value): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0;
// Test runners have realms of their own, whose classes are others.
export const bytes: Kind<Uint8Array> = (value): value is Uint8Array => types.isUint8Array(value);

/** So many numbers of 64 bits. */
export function numbers64(length: number): Kind<BigInt64Array> {
  return (value): value is BigInt64Array => types.isBigInt64Array(value) && value.length === length;
}

export function oneOf<T extends string>(...texts: readonly T[]): Kind<T> {
  return (value): value is T => texts.includes(value as T);
}

/** Or undefined. */
export function maybe<T>(kind: Kind<T>): Kind<T | undefined> {
  return (value): value is T | undefined => value === undefined || kind(value);
}

export function orNull<T>(kind: Kind<T>): Kind<T | null> {
  return (value): value is T | null => value === null || kind(value);
}

export function either<A, B, C = never>(
  a: Kind<A>,
  b: Kind<B>,
  c: Kind<C> = never as Kind<never>,
): Kind<A | B | C> {
  return (value): value is A | B | C => a(value) || b(value) || c(value);
}

export function listOf<T>(kind: Kind<T>): Kind<readonly T[]> {
  return (value): value is readonly T[] => Array.isArray(value) && value.every(kind);
}

/** A list that begins so; what a newer far side may have appended is not looked at. */
export function tuple<T extends readonly unknown[]>(
  ...kinds: { readonly [I in keyof T]: Kind<T[I]> }
): Kind<T> {
  return (value): value is T =>
    Array.isArray(value) && kinds.every((kind, index) => kind(value[index]));
}

/** Fields that may be missing may also be undefined. */
type Fields<T> = {
  readonly [K in keyof T]-?: Record<never, never> extends Pick<T, K>
    ? Kind<T[K] | undefined>
    : Kind<T[K]>;
};

/** An object with these fields; others are not looked at. */
export function record<T extends object>(fields: Fields<T>): Kind<T> {
  const kinds = Object.entries<Kind<unknown>>(fields);
  return (value): value is T => isRecord(value) && kinds.every(([name, kind]) => kind(value[name]));
}

/** An object of any names. */
export function recordOf<T>(kind: Kind<T>): Kind<Readonly<Record<string, T>>> {
  return (value): value is Readonly<Record<string, T>> =>
    isRecord(value) && Object.values(value).every(kind);
}

/** A plain object of any realm. */
function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** Types of references: what is a value there is a promise here. */

/** Data that travels by value whatever surrounds it. */
type Datum =
  | string
  | number
  | bigint
  | boolean
  | symbol
  | null
  | undefined
  | Date
  | RegExp
  | URL
  | Error
  | ArrayBuffer
  | ArrayBufferView;

/**
 * Classes that are registered by value, so that their instances keep their type on the way: declaration merging adds
 * yours, `interface ValueClasses { point: Point }`.
 */
// biome-ignore lint/suspicious/noEmptyInterface: filled by its users.
export interface ValueClasses {}

type Fn = (...args: never[]) => unknown;
type Ctor = abstract new (...args: never[]) => unknown;

/** True for a type with a method: its values have behaviour, and travel by reference. */
type HasMethods<T> = { [K in keyof T]: T[K] extends Fn ? K : never }[keyof T] extends never
  ? false
  : true;

/** What `await` gives for a value of type T on the far side: data as it is, behaviour as a reference. */
export type Received<T> = T extends Datum | ValueClasses[keyof ValueClasses]
  ? T
  : T extends ReadonlyMap<unknown, unknown> | ReadonlySet<unknown> | readonly unknown[]
    ? T
    : T extends Fn | Ctor
      ? Reference<T>
      : T extends AsyncIterator<infer I> | Iterator<infer I>
        ? Iterated<I>
        : T extends object
          ? HasMethods<T> extends true
            ? Reference<T>
            : T
          : T;

/** An argument: the value itself, a reference to one, or for a callback a function of any result. */
export type Sent<T> = T extends Fn
  ? T | ((...args: Parameters<T>) => unknown)
  : T extends Datum
    ? T
    : T | Reference<T>;
type SentAll<A extends unknown[]> = { [K in keyof A]: Sent<A[K]> };

export interface Iterated<I> extends AsyncIterable<I> {
  readonly [Symbol.asyncIterator]: () => AsyncIterator<I>;
}

/** What a call gives: await it, iterate over it, or go on with what it will be. */
export type Outcome<R> = [R] extends [never]
  ? Promise<never>
  : Promise<Received<R>> & Members<R> & IteratedIfIterable<R>;

type IteratedIfIterable<T> = T extends Datum
  ? unknown
  : T extends AsyncIterable<infer I> | Iterable<infer I>
    ? Iterated<I>
    : unknown;

/** Its last six forms, where it has several; a function that has fewer gives one of them more than once. */
type Callable<T> = T extends {
  (...args: infer A1): infer R1;
  (...args: infer A2): infer R2;
  (...args: infer A3): infer R3;
  (...args: infer A4): infer R4;
  (...args: infer A5): infer R5;
  (...args: infer A6): infer R6;
}
  ? Called<A1, R1> &
      Called<A2, R2> &
      Called<A3, R3> &
      Called<A4, R4> &
      Called<A5, R5> &
      Called<A6, R6>
  : T extends (...args: infer A) => infer R
    ? Called<A, R>
    : unknown;
type Called<A extends unknown[], R> = (...args: SentAll<A>) => Outcome<Awaited<R>>;
type Constructable<T> = T extends abstract new (
  ...args: infer A
) => infer R
  ? new (
      ...args: SentAll<A>
    ) => Outcome<R>
  : unknown;
/** Own names of Function mean the function here, not the one there. */
type Members<T> = T extends Datum
  ? unknown
  : { [K in Exclude<keyof T, 'then' | 'catch' | 'finally' | symbol>]: Member<T[K]> };

/** A member of a reference: await it for its value, or call it. */
export type Member<T> = Callable<T> & Constructable<T> & Members<T> & PromiseLike<Received<T>>;

/**
 * A reference to a T of the far side: its methods give promises, its members are promises, a path of them is one round
 * trip. Released by `using`, `release`, or when it is not used any more.
 */
export type Reference<T = unknown> = unknown extends T
  ? Untyped
  : Callable<T> & Constructable<T> & Members<T> & Held & IteratedIfIterable<T>;

export interface Held {
  [Symbol.dispose](): void;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A reference to something whose type is not known. */
export type Untyped = UntypedPlace & UntypedMembers;

interface UntypedPlace extends PromiseLike<unknown>, AsyncIterable<unknown> {
  (...args: unknown[]): Untyped;
  new (...args: unknown[]): Untyped;
}

interface UntypedMembers {
  [name: string]: Untyped;
}

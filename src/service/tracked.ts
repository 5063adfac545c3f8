/** Promises whose state can be looked at, and calls with a time limit. */
import { inspect } from 'node:util';
import { ElsewhereError } from '../base/errors.ts';
import { isRemote, within } from '../objects/reference.ts';

/** A promise and what has become of it so far. Prints as `Tracked { pending }`, `{ fulfilled: 5 }`, `{ rejected: … }`. */
export class Tracked<T> implements PromiseLike<T> {
  status: 'pending' | 'fulfilled' | 'rejected' = 'pending';
  value: T | undefined;
  reason: unknown;
  readonly #promise: Promise<T>;

  constructor(promise: PromiseLike<T>) {
    this.#promise = Promise.resolve(promise);
    this.#promise.then(
      (value) => {
        this.status = 'fulfilled';
        this.value = value;
      },
      (reason: unknown) => {
        this.status = 'rejected';
        this.reason = reason;
      },
    );
  }

  /** No longer pending. */
  get ready(): boolean {
    return this.status !== 'pending';
  }

  // biome-ignore lint/suspicious/noThenProperty: it is a promise with more to see.
  then<A = T, B = never>(
    fulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    rejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#promise.then(fulfilled, rejected);
  }
}

Object.defineProperty(Tracked.prototype, inspect.custom, {
  value(this: Tracked<unknown>, _depth: number, options: object): string {
    if (!this.ready) return 'Tracked { pending }';
    const shown = this.status === 'fulfilled' ? this.value : this.reason;
    return `Tracked { ${this.status}: ${inspect(shown, options)} }`;
  },
});

/** Lets the state of a call under way be seen. Its failure counts as seen to. */
export function track<T>(promise: PromiseLike<T>): Tracked<T> {
  return new Tracked(promise);
}

/**
 * `fn` with a limit of `ms` milliseconds: later its promise rejects with ERR_ELSEWHERE_TIMEOUT. A function of the far side
 * is told to stop; what it calls hears of it only by an AbortSignal that it is given.
 */
export function timed<A extends unknown[], R>(
  fn: (...args: A) => PromiseLike<R>,
  ms: number,
): (...args: A) => Promise<R> {
  if (isRemote(fn)) return within(fn, { timeout: ms }) as (...args: A) => Promise<R>;
  return (...args) =>
    new Promise((resolve, reject) => {
      const late = (): void =>
        reject(new ElsewhereError('ERR_ELSEWHERE_TIMEOUT', `no answer within ${ms} ms`));
      const timer = setTimeout(late, ms);
      fn(...args).then(
        (value) => {
          clearTimeout(timer);
          resolve(value);
        },
        (error: unknown) => {
          clearTimeout(timer);
          reject(error);
        },
      );
    });
}

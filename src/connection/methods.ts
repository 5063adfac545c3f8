/** What one end of a session answers to: a table of names, so that nothing else can be reached. */
import { ElsewhereError } from '../base/errors.ts';
import type { IncomingCall } from './calls.ts';
import type { SessionStream } from './stream.ts';

/** `call` is undefined for notifications, and for calls that are served while this thread is blocked in one of its own. */
export type CallHandler = (args: unknown[], call: IncomingCall | undefined) => unknown;
export type StreamOpener = (stream: SessionStream, args: unknown[]) => void;

/** Hears of each operation when it begins; what it returns hears of its end. What that throws is the operation's error. */
export type Observer = (
  method: string,
  args: readonly unknown[],
) => (error: unknown, value?: unknown) => void;

export class MethodTable {
  /** Set where somebody wants to know what is asked for. */
  observer: Observer | undefined;
  readonly #calls = new Map<string, CallHandler>();
  /** What tells the observer itself, in clearer words than its arguments. */
  readonly #telling = new Set<string>();
  readonly #streams = new Map<string, StreamOpener>();

  addCall(name: string, handler: CallHandler): void {
    this.#calls.set(name, handler);
  }

  /** The same for a handler that uses `observed` itself. */
  addTellingCall(name: string, handler: CallHandler): void {
    this.#telling.add(name);
    this.addCall(name, handler);
  }

  addStream(name: string, opener: StreamOpener): void {
    this.#streams.set(name, opener);
  }

  /** Throws ERR_ELSEWHERE_NO_METHOD, with one text for "absent" and "not allowed". */
  invoke(name: string, args: unknown[], call: IncomingCall | undefined): unknown {
    const handler = this.#calls.get(name);
    if (handler === undefined) throw noMethod(name);
    if (this.observer === undefined || this.#telling.has(name)) return handler(args, call);
    return this.observed(name, args, () => handler(args, call));
  }

  stream(name: string): StreamOpener | undefined {
    const opener = this.#streams.get(name);
    if (this.observer === undefined || opener === undefined) return opener;
    return (stream, args) => this.observed(name, args, () => opener(stream, args));
  }

  /** Does the work, and tells the observer of it, if there is one; `shown` is what the observer sees of the result. */
  observed<R>(
    method: string,
    args: readonly unknown[],
    work: () => R,
    shown: (value: unknown) => unknown = (value) => value,
  ): R {
    const over = this.observer?.(method, args);
    if (over === undefined) return work();
    let result: R;
    try {
      result = work();
    } catch (error) {
      over(error);
      throw error;
    }
    if (!(result instanceof Promise)) {
      over(undefined, shown(result));
      return result;
    }
    return result.then(
      (value: unknown) => {
        over(undefined, shown(value));
        return value;
      },
      (error: unknown) => {
        over(error);
        throw error;
      },
    ) as R;
  }
}

export function noMethod(name: string): ElsewhereError {
  return new ElsewhereError(
    'ERR_ELSEWHERE_NO_METHOD',
    `the peer offers no operation named ${JSON.stringify(name)}`,
  );
}

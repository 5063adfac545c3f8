/** What one end of a session answers to: a table of names, so that nothing else can be reached. */
import { ElsewhereError } from '../base/errors.ts';
import type { IncomingCall } from './calls.ts';
import type { SessionStream } from './stream.ts';

/** `call` is undefined for notifications, and for calls that are served while this thread is blocked in one of its own. */
export type CallHandler = (args: unknown[], call: IncomingCall | undefined) => unknown;
export type StreamOpener = (stream: SessionStream, args: unknown[]) => void;

export class MethodTable {
  readonly #calls = new Map<string, CallHandler>();
  readonly #streams = new Map<string, StreamOpener>();

  addCall(name: string, handler: CallHandler): void {
    this.#calls.set(name, handler);
  }

  addStream(name: string, opener: StreamOpener): void {
    this.#streams.set(name, opener);
  }

  /** Throws ERR_ELSEWHERE_NO_METHOD, with one text for "absent" and "not allowed". */
  invoke(name: string, args: unknown[], call: IncomingCall | undefined): unknown {
    const handler = this.#calls.get(name);
    if (handler === undefined) throw noMethod(name);
    return handler(args, call);
  }

  stream(name: string): StreamOpener | undefined {
    return this.#streams.get(name);
  }
}

export function noMethod(name: string): ElsewhereError {
  return new ElsewhereError(
    'ERR_ELSEWHERE_NO_METHOD',
    `the peer offers no operation named ${JSON.stringify(name)}`,
  );
}

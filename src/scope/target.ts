/** A patch's way to the far side in one scope. Handles made in the scope keep it for life. */
import { badReply, isFailure } from '../base/answers.ts';
import type { ByteStream, Channel, Done, PeerInfo, StreamHandler } from '../connection/channel.ts';
import type { ScopeView } from '../patch.ts';
import { type Expected, expectedOf } from './expected.ts';

export class PatchTarget {
  readonly scope: ScopeView;
  readonly connection: Channel;
  readonly #prefix: string;
  readonly #expected: Expected;

  constructor(patch: string, scope: ScopeView, channel: Channel) {
    this.#prefix = `${patch}.`;
    this.#expected = expectedOf(patch);
    this.scope = scope;
    this.connection = channel;
  }

  get peer(): PeerInfo {
    return this.connection.peer;
  }

  get alive(): boolean {
    return this.connection.state !== 'closed';
  }

  send(
    name: string,
    args: readonly unknown[],
    done: (error: unknown, value?: unknown) => void,
  ): () => void {
    const id = this.connection.request(
      this.#prefix + name,
      args,
      this.#checked(name, args, done),
      undefined,
      this.#expected.largest,
    );
    return () => this.connection.cancel(id);
  }

  call(name: string, ...args: unknown[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.send(name, args, (error, value) => {
        if (error !== null) reject(error);
        else resolve(value);
      });
    });
  }

  callSync(name: string, ...args: unknown[]): unknown {
    let answer: unknown;
    try {
      answer = this.connection.requestSync(this.#prefix + name, args, this.#expected.largest);
    } catch (error) {
      throw isFailure(error) ? error : this.#refused(name, error);
    }
    if (this.#isAnswer(name, answer, args)) return answer;
    throw this.#refused(name, answer);
  }

  #checked(name: string, args: readonly unknown[], done: Done): Done {
    return (error, value) => {
      const isSound = error === null ? this.#isAnswer(name, value, args) : isFailure(error);
      if (isSound) done(error, value);
      else done(this.#refused(name, error ?? value));
    };
  }

  #isAnswer(name: string, value: unknown, args: readonly unknown[]): boolean {
    const { answers } = this.#expected;
    return answers === undefined || answers[name]?.(value, args as never) === true;
  }

  /** Nothing more is believed of a far side that answers so. */
  #refused(name: string, value: unknown): Error {
    const error = badReply(this.#prefix + name, value);
    this.connection.fail(error);
    return error;
  }

  notify(name: string, ...args: unknown[]): void {
    this.connection.notify(this.#prefix + name, args);
  }

  open(name: string, args: readonly unknown[], handler: StreamHandler): ByteStream {
    return this.connection.open(this.#prefix + name, args, this.#listening(name, handler));
  }

  /** The same handler, which hears of signals that can be ones of this stream. */
  #listening(name: string, handler: StreamHandler): StreamHandler {
    const { signals } = this.#expected;
    if (handler.signal === undefined || signals === undefined) return handler;
    const isSignal = signals[name];
    return {
      data: (bytes) => handler.data(bytes),
      end: () => handler.end(),
      closed: (error) => handler.closed(error),
      drain: () => handler.drain?.(),
      signal: (value) => {
        if (isSignal?.(value) === true) handler.signal?.(value);
        else this.#refused(name, value);
      },
    };
  }

  hold(): void {
    this.connection.hold();
  }

  release(): void {
    this.connection.release();
  }

  onClosed(listener: (error: Error) => void): () => void {
    return this.connection.onClosed(listener);
  }
}

/** The same object with the types that one patch gives it. */
export function typedTarget<T>(target: PatchTarget): T {
  return target as unknown as T;
}

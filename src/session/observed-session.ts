/**
 * A session that tells `node:diagnostics_channel` of its calls, streams and pauses. Nothing is made or timed for a channel
 * that nobody has subscribed to.
 */
import { channel } from 'node:diagnostics_channel';
import { runLocally } from '../base/context.ts';
import type { ByteStream, Channel, Done, StreamHandler } from '../connection/channel.ts';
import { NearSession } from './near-session.ts';

/** `elsewhere:call`: a call of ours has ended. */
export interface CallMessage {
  /** The connection's id. */
  readonly session: string;
  /** 'fs.stat': the patch and its operation; 'classic.eval', 'object.do' for references and services. */
  readonly method: string;
  readonly args: readonly unknown[];
  /** The thread was blocked meanwhile. */
  readonly blocking: boolean;
  readonly milliseconds: number;
  /** What it failed with; undefined if it did not. */
  readonly error: unknown;
  readonly value: unknown;
}

/** `elsewhere:stream`: a stream of ours was opened, or is over. */
export interface StreamMessage {
  readonly session: string;
  readonly stream: number;
  readonly method: string;
  readonly args: readonly unknown[];
  readonly state: 'open' | 'closed';
  /** Since it was opened. */
  readonly milliseconds: number;
  /** Why it is over, but for a plain end. */
  readonly error: Error | undefined;
}

/** `elsewhere:resume`: a link was lost, everything goes on, or the session is over. */
export interface ResumeMessage {
  readonly session: string;
  readonly state: 'down' | 'up' | 'lost';
  /** 'up': how long it was away. */
  readonly milliseconds: number | undefined;
  readonly error: Error | undefined;
}

const calls = channel('elsewhere:call');
const streams = channel('elsewhere:stream');
const resumes = channel('elsewhere:resume');

export class ObservedSession extends NearSession {
  override request(...[method, args, done, ...limits]: Parameters<Channel['request']>): number {
    const told = calls.hasSubscribers ? this.#told(method, args, done) : done;
    return super.request(method, args, told, ...limits);
  }

  #told(method: string, args: readonly unknown[], done: Done): Done {
    const began = performance.now();
    return (error, value) => {
      this.#ended(method, args, false, began, error ?? undefined, value);
      done(error, value);
    };
  }

  #ended(
    method: string,
    args: readonly unknown[],
    blocking: boolean,
    began: number,
    error: unknown,
    value: unknown,
  ): void {
    const milliseconds = performance.now() - began;
    const message: CallMessage = {
      session: this.id,
      method,
      args,
      blocking,
      milliseconds,
      error,
      value,
    };
    // In a scope what a subscriber prints would be another call.
    runLocally(() => calls.publish(message));
  }

  override requestSync(method: string, args: readonly unknown[], most?: number): unknown {
    if (!calls.hasSubscribers) return super.requestSync(method, args, most);
    const began = performance.now();
    try {
      const value = super.requestSync(method, args, most);
      this.#ended(method, args, true, began, undefined, value);
      return value;
    } catch (error) {
      this.#ended(method, args, true, began, error, undefined);
      throw error;
    }
  }

  override open(method: string, args: readonly unknown[], handler: StreamHandler): ByteStream {
    if (!streams.hasSubscribers) return super.open(method, args, handler);
    const began = performance.now();
    const tell = (state: StreamMessage['state'], error: Error | undefined): void => {
      const milliseconds = performance.now() - began;
      const { id: session } = this;
      const message: StreamMessage = {
        session,
        stream: stream.id,
        method,
        args,
        state,
        milliseconds,
        error,
      };
      runLocally(() => streams.publish(message));
    };
    const stream = super.open(method, args, {
      data: (bytes) => handler.data(bytes),
      end: () => handler.end(),
      signal: (value) => handler.signal?.(value),
      drain: () => handler.drain?.(),
      closed: (error) => {
        tell('closed', error);
        handler.closed(error);
      },
    });
    tell('open', undefined);
    return stream;
  }

  /** What the events of a connection are, for who has no connection at hand. */
  tellResume(state: ResumeMessage['state'], milliseconds?: number, error?: Error): void {
    if (!resumes.hasSubscribers) return;
    const message: ResumeMessage = { session: this.id, state, milliseconds, error };
    runLocally(() => resumes.publish(message));
  }
}

/** What `connect` gives: the public face of a session. */
import { EventEmitter } from 'node:events';
import { performance } from 'node:perf_hooks';
import type { Channel, ChannelState, PeerInfo } from '../connection/channel.ts';
import type { NearSession } from '../session/near-session.ts';
import { currentRedirection } from './redirect-stdio.ts';

/** Figures of a connection since it began. */
export interface ConnectionStats {
  /** Sequenced packets. */
  readonly packetsSent: number;
  readonly packetsReceived: number;
  /** Bytes of packet bodies on the main link. */
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** Bytes sent that the far side has not acknowledged: they are kept, to be sent again. */
  readonly replayBytes: number;
  /** Calls of ours without an answer yet. */
  readonly pendingCalls: number;
  readonly streams: number;
}

export interface ConnectionEvents {
  /** The link is lost and dialled again; everything that uses it waits. */
  down: [error: Error];
  /** Everything goes on where it was, after so many milliseconds. */
  up: [pause: number];
  /** The session is over although nobody closed it. */
  lost: [error: Error];
  /** The last event, whatever the reason. */
  close: [reason: Error];
}

export class Connection {
  /** What scopes and patches use. */
  readonly channel: Channel;
  /** Settles when the connection is over, with the reason; never rejects. */
  readonly closed: Promise<Error>;
  readonly #session: NearSession;
  readonly #events = new EventEmitter();
  #kept = false;

  constructor(session: NearSession) {
    this.#session = session;
    this.channel = session;
    session.events.down = (error) => this.#events.emit('down', error);
    session.events.up = (pause) => this.#events.emit('up', pause);
    this.closed = new Promise((resolve) => {
      session.onClosed((error) => {
        if ((error as { code?: string }).code !== 'ERR_ELSEWHERE_CLOSED')
          this.#events.emit('lost', error);
        this.#events.emit('close', error);
        resolve(error);
      });
    });
  }

  /** 128-bit id of the session, in hex. */
  get id(): string {
    return this.channel.id;
  }

  get state(): ChannelState {
    return this.channel.state;
  }

  /** Facts about the far process. */
  get peer(): PeerInfo {
    return this.channel.peer;
  }

  on<K extends keyof ConnectionEvents>(
    event: K,
    listener: (...args: ConnectionEvents[K]) => void,
  ): this {
    this.#events.on(event, listener as (...args: unknown[]) => void);
    return this;
  }

  off<K extends keyof ConnectionEvents>(
    event: K,
    listener: (...args: ConnectionEvents[K]) => void,
  ): this {
    this.#events.off(event, listener as (...args: unknown[]) => void);
    return this;
  }

  /** Milliseconds for one round trip. */
  async ping(): Promise<number> {
    const start = performance.now();
    await this.#call('session.ping', []);
    return performance.now() - start;
  }

  /** The value of an expression on the far side. Classic mode. */
  async eval(source: string): Promise<unknown> {
    return this.#call('classic.eval', [source, currentRedirection(this.channel)]);
  }

  /** Runs statements on the far side; `namespace` there keeps values between calls. Classic mode. */
  async execute(source: string): Promise<void> {
    await this.#call('classic.execute', [source, currentRedirection(this.channel)]);
  }

  /**
   * Sends a function's source to the far side and calls it there, in one round trip. It sees its arguments, the globals
   * and `require` of the far side, and nothing of the variables around it here. Classic mode.
   */
  async run<A extends unknown[], R>(fn: (...args: A) => R, ...args: A): Promise<Awaited<R>> {
    if (typeof fn !== 'function') throw new TypeError('run needs a function');
    const result = await this.#call('classic.run', [
      fn.toString(),
      args,
      currentRedirection(this.channel),
    ]);
    return result as Awaited<R>;
  }

  #call(method: string, args: readonly unknown[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.channel.hold();
      this.channel.request(method, args, (error, value) => {
        this.channel.release();
        if (error !== null) reject(error);
        else resolve(value);
      });
    });
  }

  stats(): ConnectionStats {
    const { core } = this.#session;
    const { sent, received, bytesSent, bytesReceived } = core.main;
    return {
      packetsSent: sent,
      packetsReceived: received,
      bytesSent,
      bytesReceived,
      replayBytes: core.main.keptBytes,
      pendingCalls: core.calls.size,
      streams: core.streams.size,
    };
  }

  /** Keeps the process alive while the connection is open: the default after `connect`. */
  ref(): this {
    if (!this.#kept && this.state !== 'closed') this.channel.hold();
    this.#kept = true;
    return this;
  }

  /** Lets the process end although the connection is open. Work under way still keeps it alive. */
  unref(): this {
    if (this.#kept) this.channel.release();
    this.#kept = false;
    return this;
  }

  /** Closes after what was sent; the far side then closes what this connection held there. */
  async close(): Promise<void> {
    await this.#session.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** What `connect` gives: the public face of a session. */
import { EventEmitter } from 'node:events';
import { performance } from 'node:perf_hooks';
import { type InspectOptions, inspect } from 'node:util';
import type { Channel, ChannelState, PeerInfo } from '../connection/channel.ts';
import { blocking } from '../objects/blocking.ts';
import { ask, checkedLimits, type Limits } from '../objects/limits.ts';
import type { ObjectSession } from '../objects/session.ts';
import type { Member, Received, Reference, Sent } from '../objects/types.ts';
import type { ObservedSession } from '../session/observed-session.ts';
import type { FarModules, ImportModule, SyncModules, SyncUntyped } from './modules.ts';
import { AttachedStdio, currentRedirection } from './redirect-stdio.ts';
import type { Exposed } from './service.ts';
import { sourceOf } from './teleport.ts';

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
  /** Calls, answers and notices, many of which may share a packet. */
  readonly framesSent: number;
  readonly framesReceived: number;
  /** How often one of our streams had to wait since the far side's reader was behind. */
  readonly windowStalls: number;
  /**
   * Round trips of `ping()` and of heartbeats, which are sent when the far side is silent: `[most milliseconds, how many]`,
   * each step twice as long as the one before it.
   */
  readonly roundTrips: readonly (readonly [number, number])[];
  /** References to objects of the far side that are held here, and to objects of ours that it holds. */
  readonly handles: { readonly held: number; readonly handedOver: number };
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

/** The blocking forms: plain values in, plain values out. */
export interface SyncFace {
  readonly modules: SyncModules;
  readonly global: typeof globalThis;
  readonly namespace: SyncUntyped;
}

export interface TeleportOptions extends Limits {
  /** Variables that the function uses, by name: data is copied, functions and instances go by reference. */
  readonly captures?: Readonly<Record<string, unknown>>;
  /** Also puts it in `conn.namespace`, under this name. */
  readonly name?: string;
}

/** `S` is the far side's service, as a type: `connect<Calc>(url)`. */
export class Connection<S = unknown> {
  /** What scopes and patches use. */
  readonly channel: Channel;
  /** Settles when the connection is over, with the reason; never rejects. */
  readonly closed: Promise<Error>;
  /** What the far side serves. */
  readonly root: Reference<Exposed<S>>;
  /** Modules of the far side: `conn.modules.os.hostname()`. Classic mode. */
  readonly modules: FarModules;
  /** `globalThis` of the far side. Classic mode. */
  readonly global: Member<typeof globalThis>;
  /** Names that `execute` and this client's other code see on the far side. Classic mode. */
  readonly namespace: Reference;
  /** The same, blocking. Classic mode. */
  readonly sync: SyncFace;
  /** A module of the far side, by reference. Classic mode. */
  readonly import: ImportModule;
  /** Where what this client's code prints there shows, until further notice. `redirectStdio` does it for one function. */
  readonly stdio: AttachedStdio;
  readonly #session: ObservedSession;
  readonly #objects: ObjectSession;
  readonly #events = new EventEmitter();
  #kept = false;

  constructor(session: ObservedSession, objects: ObjectSession) {
    this.#session = session;
    this.#objects = objects;
    this.root = objects.root('root') as this['root'];
    this.modules = objects.root('modules') as FarModules;
    this.global = objects.root('global') as this['global'];
    this.namespace = objects.root('namespace') as Reference;
    const sync = (root: string): unknown =>
      blocking(objects.root(root), (place, operation, params) =>
        objects.performSync(place, operation, params),
      );
    this.sync = {
      modules: sync('modules') as SyncModules,
      global: sync('global') as typeof globalThis,
      namespace: sync('namespace') as SyncUntyped,
    };
    this.import = ((specifier: string) => objects.get('modules', [specifier])) as ImportModule;
    this.channel = session;
    this.stdio = new AttachedStdio(session);
    session.events.down = (error) => {
      session.tellResume('down', undefined, error);
      this.#events.emit('down', error);
    };
    session.events.up = (pause) => {
      session.tellResume('up', pause);
      this.#events.emit('up', pause);
    };
    this.closed = new Promise((resolve) => {
      session.onClosed((error) => {
        if ((error as { code?: string }).code !== 'ERR_ELSEWHERE_CLOSED') {
          session.tellResume('lost', undefined, error);
          this.#events.emit('lost', error);
        }
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
  async ping(limits?: Limits): Promise<number> {
    const start = performance.now();
    await this.#call('session.ping', [], limits);
    const took = performance.now() - start;
    this.#session.core.main.counts.roundTrips.add(took);
    return took;
  }

  /**
   * The value of an expression on the far side, which may use `await`, and `signal`: it is aborted by the limits' signal
   * and timeout. Classic mode.
   */
  async eval<T = unknown>(source: string, limits?: Limits): Promise<Received<T>> {
    return (await this.#code('classic.eval', [source], limits)) as Received<T>;
  }

  /** Runs statements on the far side, as `eval`; `namespace` there keeps values between calls. Classic mode. */
  async execute(source: string, limits?: Limits): Promise<void> {
    await this.#code('classic.execute', [source], limits);
  }

  /**
   * Sends a function's source to the far side and calls it there, in one round trip. It sees its arguments, the globals
   * and `require` of the far side, and nothing of the variables around it here. Classic mode.
   */
  async run<A extends unknown[], R>(
    fn: (...args: A) => R,
    ...args: { [K in keyof A]: Sent<A[K]> }
  ): Promise<Received<Awaited<R>>> {
    return (await this.#code('classic.run', [sourceOf(fn), ...args])) as Received<Awaited<R>>;
  }

  /** The same with limits: the function may use the name `signal`, as in `eval`. Classic mode. */
  async runWithin<A extends unknown[], R>(
    limits: Limits,
    fn: (...args: A) => R,
    ...args: { [K in keyof A]: Sent<A[K]> }
  ): Promise<Received<Awaited<R>>> {
    const sent = [sourceOf(fn), ...args];
    return (await this.#code('classic.run', sent, limits)) as Received<Awaited<R>>;
  }

  /** Defines a function on the far side from its source, and gives a reference to it. Classic mode. */
  async teleport<F extends (...args: never[]) => unknown>(
    fn: F,
    { captures = {}, name, ...limits }: TeleportOptions = {},
  ): Promise<Reference<F>> {
    const sent = [sourceOf(fn), captures, name];
    return (await this.#code('classic.teleport', sent, limits)) as Reference<F>;
  }

  /** What the function `deliver` does. */
  async deliver<T>(value: T): Promise<Reference<T>> {
    if (typeof value === 'function') return (await this.teleport(value as never)) as Reference<T>;
    return (await this.#code('classic.deliver', [value])) as Reference<T>;
  }

  async #code(method: string, args: readonly unknown[], limits?: Limits): Promise<unknown> {
    const sealed = this.#objects.seal([currentRedirection(this.channel), ...args], 'listed');
    try {
      return this.#objects.open(await this.#call(method, [sealed], limits));
    } catch (error) {
      throw this.#objects.open(error);
    }
  }

  #call(method: string, args: readonly unknown[], limits: Limits = {}): Promise<unknown> {
    return new Promise((resolve, reject) => {
      ask(this.channel, checkedLimits(limits), method, args, {
        done: (error, value) => (error === null ? resolve(value) : reject(error)),
        gaveUp: reject,
        // Opened all the same, so that references in it are given back.
        late: (value) => this.#objects.open(value),
      });
    });
  }

  stats(): ConnectionStats {
    const { core } = this.#session;
    const { sent, received, counts } = core.main;
    return {
      packetsSent: sent,
      packetsReceived: received,
      bytesSent: counts.bytesSent,
      bytesReceived: counts.bytesReceived,
      replayBytes: core.main.keptBytes,
      pendingCalls: core.calls.size,
      streams: core.streams.size,
      framesSent: counts.framesSent,
      framesReceived: counts.framesReceived,
      windowStalls: core.streams.stalls,
      roundTrips: counts.roundTrips.histogram,
      handles: this.#objects.counts,
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

// What `console.log(conn)` shows.
Object.defineProperty(Connection.prototype, inspect.custom, {
  value(this: Connection, _depth: number, options: InspectOptions): string {
    const { id, state } = this;
    const known = state === 'connecting' ? {} : { host: this.peer.hostname, pid: this.peer.pid };
    return `Connection ${inspect({ id, state, ...known }, options)}`;
  },
});

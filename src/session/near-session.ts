/**
 * The dialling end of a session: a main lane for the event loop, a sync lane for blocking calls, both opened when first
 * needed. What the layers above see of it is the `Channel`.
 */
import { randomBytes } from 'node:crypto';
import { runDetached, runLocally } from '../base/context.ts';
import { ElsewhereError } from '../base/errors.ts';
import type { BlockingLink } from '../connection/blocking.ts';
import type {
  ByteStream,
  Channel,
  ChannelState,
  Done,
  PeerInfo,
  StreamHandler,
} from '../connection/channel.ts';
import { Heartbeat } from '../connection/heartbeat.ts';
import type { Lane } from '../connection/lane.ts';
import { MethodTable } from '../connection/methods.ts';
import { Peer } from '../connection/peer.ts';
import { SyncLane } from '../connection/sync-lane.ts';
import type { Transport } from '../transport/transport.ts';
import { type DriveOptions, driveHandshake } from './drive.ts';
import { clientHandshake } from './handshake.ts';
import { selfInfo } from './self.ts';

export interface NearSessionOptions {
  readonly key: Buffer;
  /** Dials the main lane. */
  dial(signal: AbortSignal): Promise<Transport>;
  /** Dials the sync lane while blocked; told the main lane's transport when there is one. */
  dialBlocking(main: Transport | undefined): BlockingLink;
  /** Milliseconds for dialling and handshake together. */
  readonly timeout: number;
  /** Milliseconds between heartbeats; the peer is dead after three. 0: none. */
  readonly heartbeat: number;
  /** What the agent may call on this side. */
  readonly methods?: MethodTable;
}

export class NearSession implements Channel {
  readonly id: string = randomBytes(16).toString('hex');
  readonly methods: MethodTable;
  readonly #options: NearSessionOptions;
  readonly #core: Peer;
  readonly #sync: SyncLane;
  readonly #abort = new AbortController();
  readonly #listeners = new Set<(error: Error) => void>();
  #state: ChannelState = 'connecting';
  #dialling: Promise<void> | undefined;
  #peer: PeerInfo | undefined;
  #heartbeat: Heartbeat | undefined;
  #holds = 0;
  #reason: Error | undefined;
  #goAway: string | undefined;

  constructor(options: NearSessionOptions) {
    this.#options = options;
    this.methods = options.methods ?? new MethodTable();
    this.#core = new Peer('near', this.methods, {
      laneClosed: (lane, error) => this.#laneClosed(lane, error),
      goAway: (reason) => (this.#goAway = reason),
    });
    this.#sync = new SyncLane({
      open: () => runLocally(() => options.dialBlocking(this.#core.main.transport)),
      handshake: () => this.#handshake('sync'),
      serve: (method, args) => this.methods.invoke(method, args, undefined),
      barrier: () => this.#core.main.handedOver,
    });
  }

  get state(): ChannelState {
    return this.#state;
  }

  get core(): Peer {
    return this.#core;
  }

  get peer(): PeerInfo {
    if (this.#peer === undefined)
      throw new ElsewhereError(
        'ERR_ELSEWHERE_CLOSED',
        'the far side is not known before the connection is up',
      );
    return this.#peer;
  }

  /** Opens the main lane now; calls made before it is up wait for it. */
  connect(signal?: AbortSignal): Promise<void> {
    if (this.#dialling !== undefined) return this.#dialling;
    const dialling = runDetached(() => this.#dial(signal));
    this.#dialling = dialling;
    return dialling;
  }

  /** Opens the sync lane now, blocking: for preloads, which have no event loop yet. */
  connectSync(): void {
    this.#peer = this.#sync.connect();
  }

  async #dial(signal?: AbortSignal): Promise<void> {
    const stop =
      signal === undefined ? this.#abort.signal : AbortSignal.any([signal, this.#abort.signal]);
    let transport: Transport | undefined;
    try {
      transport = await this.#options.dial(stop);
      const options = { timeout: this.#options.timeout, who: 'agent', signal: stop };
      this.#peer = await handshakeDone(transport, this.#handshake('main'), options);
    } catch (error) {
      transport?.destroy();
      this.#end(error as Error);
      throw error;
    }
    // Closed while it was dialled.
    if (this.#reason !== undefined) {
      transport.destroy();
      throw this.#reason;
    }
    this.#state = 'up';
    this.#core.main.attach(transport);
    this.#applyHold();
    if (this.#options.heartbeat > 0)
      this.#heartbeat = new Heartbeat(this.#core.main, this.#options.heartbeat);
  }

  #handshake(lane: 'main' | 'sync'): ReturnType<typeof clientHandshake> {
    return clientHandshake({ key: this.#options.key, session: this.id, lane, self: selfInfo() });
  }

  /** The main lane is dialled at the first thing that needs it. */
  #needMain(): void {
    if (this.#dialling === undefined) this.connect().catch(() => undefined);
  }

  request(method: string, args: readonly unknown[], done: Done): number {
    this.#needMain();
    return this.#core.request(method, args, done);
  }

  cancel(id: number): void {
    this.#core.cancel(id);
  }

  requestSync(method: string, args: readonly unknown[]): unknown {
    if (this.#reason !== undefined) throw closedNow(method, this.#reason);
    return this.#sync.call(method, args);
  }

  notify(method: string, args: readonly unknown[]): void {
    this.#needMain();
    this.#core.notify(method, args);
  }

  open(method: string, args: readonly unknown[], handler: StreamHandler): ByteStream {
    this.#needMain();
    return this.#core.open(method, args, handler);
  }

  hold(): void {
    this.#holds++;
    if (this.#holds === 1) this.#applyHold();
  }

  release(): void {
    this.#holds--;
    if (this.#holds === 0) this.#applyHold();
  }

  #applyHold(): void {
    const transport = this.#core.main.transport;
    if (this.#holds > 0) transport?.ref();
    else transport?.unref();
  }

  onClosed(listener: (error: Error) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Ends the session after what was sent; resolves when the far side knows. */
  async close(): Promise<void> {
    if (this.#reason !== undefined) return;
    const over = new Promise<void>((resolve) => this.onClosed(() => resolve()));
    this.#goAway ??= 'closed by this side';
    this.#sync.close();
    if (this.#state === 'up') this.#core.main.close('the client closed the connection');
    else
      this.#end(
        new ElsewhereError('ERR_ELSEWHERE_CLOSED', 'the connection was closed by this side'),
      );
    this.hold();
    await over;
  }

  #laneClosed(lane: Lane, error: Error | undefined): void {
    if (lane !== this.#core.main) return;
    this.#end(this.#explain(error));
  }

  #explain(error: Error | undefined): Error {
    if (this.#goAway === 'closed by this side')
      return new ElsewhereError('ERR_ELSEWHERE_CLOSED', 'the connection was closed by this side');
    if (error instanceof ElsewhereError && error.code !== 'ERR_ELSEWHERE_CONNECTION_LOST')
      return error;
    const why = this.#goAway ?? error?.message ?? 'the agent closed it';
    return new ElsewhereError(
      'ERR_ELSEWHERE_CONNECTION_LOST',
      `the connection to the agent was lost: ${why}`,
      { cause: error },
    );
  }

  #end(reason: Error): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    this.#state = 'closed';
    this.#abort.abort(reason);
    this.#heartbeat?.stop();
    this.#sync.close();
    this.#core.lose(reason);
    for (const listener of [...this.#listeners]) listener(reason);
    this.#listeners.clear();
  }
}

function handshakeDone(
  transport: Transport,
  steps: ReturnType<typeof clientHandshake>,
  options: DriveOptions,
): Promise<PeerInfo> {
  return new Promise((resolve, reject) => {
    driveHandshake(transport, steps, options, (error, peer) => {
      if (peer === undefined) reject(error);
      else resolve(peer);
    });
  });
}

function closedNow(method: string, reason: Error): ElsewhereError {
  return new ElsewhereError('ERR_ELSEWHERE_CLOSED', `${method} was not sent: ${reason.message}`, {
    cause: reason,
    maybeExecuted: false,
  });
}

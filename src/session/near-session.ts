/**
 * The dialling end of a session: a main lane for the event loop, a sync lane for blocking calls, both opened when first
 * needed. What the layers above see of it is the `Channel`.
 */
import { randomBytes } from 'node:crypto';
import { runDetached } from '../base/context.ts';
import { ElsewhereError } from '../base/errors.ts';
import type { BlockingLink } from '../connection/blocking.ts';
import { Courier, catchUp } from '../connection/catch-up.ts';
import type {
  ByteStream,
  Channel,
  ChannelState,
  PeerInfo,
  StreamHandler,
} from '../connection/channel.ts';
import type { HandshakePacket, HandshakeStep } from '../connection/handshake-steps.ts';
import { Heartbeat } from '../connection/heartbeat.ts';
import type { LinkOpener } from '../connection/lasting-link.ts';
import { MethodTable } from '../connection/methods.ts';
import { Peer } from '../connection/peer.ts';
import { isFinal, pauses, wait } from '../connection/redial.ts';
import { SyncLane } from '../connection/sync-lane.ts';
import type { UserLogin } from '../security/users.ts';
import type { Transport } from '../transport/transport.ts';
import { handshakeDone } from './drive.ts';
import { closedHere, closedNow, overtaken } from './endings.ts';
import { clientHandshake, type LaneName, type Resumption, type Welcome } from './handshake.ts';
import { leaveAtExit, stayAtExit } from './leave-at-exit.ts';
import { hasEnded, isOfThisMachine, selfInfo } from './self.ts';
import { nearHeart, signsOfClient } from './session-heart.ts';

export interface NearSessionOptions {
  readonly key: Buffer | UserLogin;
  /** Dials the main lane; gives up after `timeout` milliseconds. */
  dial(signal: AbortSignal, timeout: number): Promise<Transport>;
  /** Dials the sync lane while blocked; told the main lane's transport when there is one, and who answers there. */
  dialBlocking(main: Transport | undefined, peer: PeerInfo | undefined): BlockingLink;
  /** Milliseconds for dialling and handshake together. */
  readonly timeout: number;
  /** Milliseconds between heartbeats; a silent link is given up within three. 0: none. */
  readonly heartbeat: number;
  /** Milliseconds for which a lost link is dialled again; the agent may allow less. 0: its loss is the session's. */
  readonly grace: number;
  /** What the agent may call on this side. */
  readonly methods?: MethodTable;
}

/** What a session tells besides its end. */
export interface NearSessionEvents {
  /** The link is lost; everything waits while it is dialled again. */
  down(error: Error): void;
  /** Everything goes on where it was, after so many milliseconds. */
  up(pause: number): void;
}

/** While the network is away, an attempt may take this long and a bit more each time, up to `timeout`. */
const REDIAL_TIMEOUT = 3000;
const GOOD_BYE = 'the client closed the connection';

export class NearSession implements Channel {
  readonly id: string = randomBytes(16).toString('hex');
  readonly methods: MethodTable;
  readonly events: Partial<NearSessionEvents> = {};
  readonly #options: NearSessionOptions;
  readonly #core: Peer;
  readonly #sync: SyncLane;
  readonly #courier: Courier;
  readonly #abort = new AbortController();
  readonly #listeners = new Set<(error: Error) => void>();
  /** What each lane's last link left behind. */
  readonly #resumptions: { [K in LaneName]?: Resumption } = {};
  #state: ChannelState = 'connecting';
  #dialling: Promise<void> | undefined;
  /** The main lane's next link, while it shakes hands. */
  #attempt: Transport | undefined;
  #peer: PeerInfo | undefined;
  #grace: number;
  #heartbeat: Heartbeat | undefined;
  #holds = 0;
  /** Keeps the process alive while there is no socket that could. */
  #keeper: NodeJS.Timeout | undefined;
  #reason: Error | undefined;
  #closing = false;
  #goAway: string | undefined;

  constructor(options: NearSessionOptions) {
    this.#options = options;
    this.#grace = options.grace;
    this.methods = options.methods ?? new MethodTable();
    this.#core = new Peer('near', this.methods, {
      laneDown: (_lane, error) => this.#laneDown(error),
      goAway: (reason) => this.#agentLeaves(reason),
    });
    const opener = (lane: LaneName): LinkOpener => ({
      open: () => {
        // Else the agent might take an attempt that nobody can finish now for the lane's newest link.
        if (lane === 'main') this.#attempt?.destroy();
        return options.dialBlocking(this.#core.main.transport, this.#peer);
      },
      timeout: options.timeout,
      // A loss that is the session's must be certain, and a busy agent is as silent as a frozen one.
      heartbeat: options.grace === 0 ? 0 : options.heartbeat,
      isNear: () => this.#peer !== undefined && isOfThisMachine(this.#peer),
      // A main link of this thread's own is there to bring what was sent.
      handshake: (received) => this.#handshake(lane, received, lane === 'main'),
      // Nothing is lost yet where nobody has answered.
      patience: () => (this.#peer === undefined ? 0 : this.#grace),
      hopeless: () => this.#agentEnded(),
    });
    this.#courier = new Courier(this.#core.main, opener('main'));
    this.#sync = new SyncLane({
      ...opener('sync'),
      serve: (method, args) => this.methods.invoke(method, args, undefined),
      barrier: () => this.#barrier(opener('main')),
      catchUp: (linked) => {
        // The link that the agent has may be one that we never got, or that we can't finish while we block.
        if (!linked || this.#core.main.transport === undefined) this.#catchUp(opener('main'));
      },
      lost: (error) => this.#end(this.#explain(error as Error)),
    });
    leaveAtExit(this);
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
    this.#dialling ??= runDetached(() => this.#connect(signal));
    return this.#dialling;
  }

  /** Opens the sync lane now, blocking: for preloads, which have no event loop yet. */
  connectSync(): void {
    this.#sync.connect();
  }

  async #connect(signal?: AbortSignal): Promise<void> {
    const stop =
      signal === undefined ? this.#abort.signal : AbortSignal.any([signal, this.#abort.signal]);
    const before = this.#resumptions.main;
    try {
      await this.#dial(stop, this.#options.timeout);
    } catch (error) {
      // A blocking call could not wait for this attempt, and made the link.
      if (this.#reason === undefined && this.#resumptions.main !== before)
        return this.#connect(signal);
      this.#end(error as Error);
      throw error;
    }
  }

  /** One attempt: the lane's first link, or one in place of a lost one. */
  async #dial(stop: AbortSignal, timeout: number): Promise<void> {
    let transport: Transport | undefined;
    try {
      transport = await this.#options.dial(stop, timeout);
      this.#attempt = transport;
      const steps = this.#handshake('main', this.#core.main.received);
      const welcome = await handshakeDone(transport, steps, {
        timeout,
        who: 'agent',
        signal: stop,
      });
      // Closed while it was dialled.
      if (this.#reason !== undefined) throw this.#reason;
      this.#core.main.attach(transport, welcome.received);
      signsOfClient(transport, welcome);
    } catch (error) {
      transport?.destroy();
      throw error;
    } finally {
      this.#attempt = undefined;
    }
    this.#courier.dismiss();
    this.#state = 'up';
    this.#applyHold();
    this.#heartbeat?.stop();
    const { heartbeat } = this.#options;
    const heart = nearHeart(this.#core.main, () => this.#peer);
    if (heartbeat > 0) this.#heartbeat = new Heartbeat(heart, heartbeat);
  }

  *#handshake(
    lane: LaneName,
    received: number,
    oneWay = false,
  ): Generator<HandshakeStep, Welcome, HandshakePacket> {
    const { key } = this.#options;
    const resumption = this.#resumptions[lane];
    const self = selfInfo();
    const { heartbeat } = this.#options;
    const options = { key, session: this.id, lane, self, received, resumption, heartbeat, oneWay };
    let welcome: Welcome;
    try {
      welcome = yield* clientHandshake(options);
    } catch (error) {
      // What was right when it began is refused where another link took the lane meanwhile.
      throw this.#resumptions[lane] === resumption ? error : overtaken(lane);
    }
    // While this attempt waited, another link took the lane: this one is dead, and so is its secret.
    if (this.#resumptions[lane] !== resumption) throw overtaken(lane);
    this.#resumptions[lane] = welcome.resumption;
    this.#peer = welcome.peer;
    this.#grace = Math.min(this.#grace, welcome.grace);
    return welcome;
  }

  // What happens when the main lane's link is lost.

  #laneDown(error: Error | undefined): void {
    this.#heartbeat?.stop();
    // The sync lane was first to know that all is lost; this is only the echo.
    if (this.#reason !== undefined) return;
    const fault = this.#core.main.fault;
    const final = this.#closing || this.#goAway !== undefined || this.#grace === 0;
    if (final || fault !== undefined) return this.#end(this.#explain(fault ?? error));
    this.#state = 'down';
    this.#applyHold();
    this.events.down?.(this.#explain(error));
    void runDetached(() => this.#redial(error));
  }

  /** It answers what is under way. What we say in return tells it that nothing more comes. */
  #agentLeaves(reason: string): void {
    if (this.#goAway !== undefined) return;
    this.#goAway = reason;
    this.#core.stopAsking(new Error(reason));
    this.#core.main.farewell(GOOD_BYE);
  }

  /** The number of the newest packet on the main lane that the far side must have before a blocking call. */
  #barrier(opener: LinkOpener): number {
    const { main } = this.#core;
    this.#courier.carry();
    const count = main.handedOver;
    if (main.transport?.stuck !== true) return count;
    this.#catchUp(opener);
    return main.handedOver;
  }

  /** Afterwards the main lane has no link, which the event loop will see to. */
  #catchUp(opener: LinkOpener): void {
    catchUp(this.#core.main, opener);
    const isGone = this.#core.main.transport === undefined;
    if (isGone && this.#state === 'up') this.#laneDown(undefined);
  }

  async #redial(reason: Error | undefined): Promise<void> {
    const since = performance.now();
    let failure: Error | undefined = reason;
    let attempts = 0;
    for (const pause of pauses()) {
      if (performance.now() - since + pause > this.#grace) break;
      await wait(pause);
      if (this.#reason !== undefined) return;
      attempts++;
      try {
        const timeout = Math.min(this.#options.timeout, REDIAL_TIMEOUT * attempts);
        await this.#dial(this.#abort.signal, timeout);
        this.events.up?.(performance.now() - since);
        return;
      } catch (error) {
        failure = error as Error;
        if (isFinal(error) || this.#agentEnded()) break;
      }
    }
    this.#end(this.#explain(failure));
  }

  #agentEnded(): boolean {
    return this.#peer !== undefined && hasEnded(this.#peer);
  }

  /** The main lane is dialled at the first thing that needs it. */
  #needMain(): void {
    if (this.#dialling === undefined) this.connect().catch(() => undefined);
  }

  request(...call: Parameters<Channel['request']>): number {
    this.#needMain();
    return this.#core.request(...call);
  }

  cancel(id: number): void {
    this.#core.cancel(id);
  }

  requestSync(method: string, args: readonly unknown[], most?: number): unknown {
    if (this.#reason !== undefined) throw closedNow(method, this.#reason);
    return this.#sync.call(method, args, most);
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
    const { transport } = this.#core.main;
    const wanted = this.#holds > 0;
    if (wanted) transport?.ref();
    else transport?.unref();
    if (wanted && this.#state === 'down') this.#keeper ??= setInterval(() => undefined, 2 ** 30);
    else this.#keeper = void clearInterval(this.#keeper);
  }

  onClosed(listener: (error: Error) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Ends the session after what was sent; resolves when the far side knows. */
  async close(): Promise<void> {
    if (this.#reason !== undefined) return;
    const over = new Promise<void>((resolve) => this.onClosed(() => resolve()));
    this.#leave();
    this.hold();
    await over;
  }

  /**
   * For the end of the process: with its sockets the far side gives back at once what it keeps for us. Nothing is closed
   * here, since the program's own exit handlers may still make blocking calls.
   */
  farewell(): void {
    this.#sync.farewell(GOOD_BYE);
    if (this.#state === 'up') this.#core.main.farewell(GOOD_BYE);
  }

  fail(error: Error): void {
    this.#end(error);
  }

  #leave(): void {
    this.#closing = true;
    this.#sync.close(GOOD_BYE);
    if (this.#state === 'up') this.#core.main.close(GOOD_BYE);
    else this.#end(closedHere());
  }

  #explain(error: Error | undefined): Error {
    if (this.#closing) return closedHere();
    if (isFinal(error) && (error as ElsewhereError).code !== 'ERR_ELSEWHERE_CLOSED')
      return error as Error;
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
    stayAtExit(this);
    this.#abort.abort(reason);
    this.#heartbeat?.stop();
    this.#sync.close(GOOD_BYE);
    this.#courier.dismiss();
    this.#core.main.destroy();
    this.#core.lose(reason);
    this.#applyHold();
    for (const listener of [...this.#listeners]) listener(reason);
    this.#listeners.clear();
  }
}

/**
 * The agent's end of a session: the patches' remote halves for one client. It outlives its links: without any, all that
 * the client holds here is kept for `grace`.
 */
import { ElsewhereError } from '../base/errors.ts';
import type { IncomingCall } from '../connection/calls.ts';
import type { PeerInfo } from '../connection/channel.ts';
import { Heartbeat } from '../connection/heartbeat.ts';
import { Lane } from '../connection/lane.ts';
import { MethodTable } from '../connection/methods.ts';
import { Peer } from '../connection/peer.ts';
import type { SessionStream } from '../connection/stream.ts';
import type { AnyPatch, PolicyView, RemoteContext } from '../patch.ts';
import type { PolicyRules } from '../security/policy.ts';
import { oneWay } from '../transport/one-way.ts';
import type { Transport } from '../transport/transport.ts';
import { type Admission, type LaneName, welcome } from './handshake.ts';
import type { Login } from './keyring.ts';
import { LaneSecrets } from './lane-secrets.ts';
import { hasEnded, selfInfo } from './self.ts';
import { sessionHeart, signsOfAgent } from './session-heart.ts';
import { SessionPolicy } from './session-policy.ts';

/** A client that was let in. */
export interface Guest {
  /** Of its session. */
  readonly id: string;
  readonly login: Login & { readonly peer: PeerInfo };
}

/** The session of one client, be it of this process or of one of its own. */
export interface AgentSession extends Guest {
  readonly peer: PeerInfo;
  /** What may prove a resumption of that lane. */
  secrets(lane: LaneName): readonly Buffer[] | undefined;
  /**
   * Gives a lane its first link, or a new one in place of one that was lost; the client's welcome is sent before anything
   * else. Throws (or rejects with) _PROTOCOL or _CLOSED, and leaves the transport to the caller.
   */
  attach(transport: Transport, admission: Admission): void | Promise<void>;
  /**
   * Tells the client, answers what is under way for at most `ms` milliseconds and then closes. Calls that come meanwhile
   * are refused as not carried out.
   */
  drain(reason: string, ms: number): void;
  /** Tells the client and ends after what is under way was sent. */
  close(reason: string): void;
  onEnd(cleanup: () => void): void;
}

export interface FarSessionInit extends Guest {
  readonly patches: readonly AnyPatch[];
  readonly rules: PolicyRules;
  /** Milliseconds without any link until the session is over. */
  readonly grace: number;
  /** Milliseconds between heartbeats; 0: none. */
  readonly heartbeat: number;
  /** This process serves no other client. */
  readonly alone: boolean;
  /** `why`: for a client that comes back all the same. */
  onOver(why: string): void;
}

/** Milliseconds between looks whether a session that drains is done. */
const DRAIN_CHECK = 10;

/** Milliseconds between looks whether a client without a link has ended. */
const LOOK = 200;

/** Milliseconds more for what a client has sent before it heard of the end: it gets its refusal. */
const LATECOMERS = 2000;

/** A lane and what proves that a new link of it is the same client's. */
interface Seat {
  readonly lane: Lane;
  readonly secrets: LaneSecrets;
}

export class FarSession implements AgentSession {
  readonly id: string;
  /** Who the client has proven to be. */
  readonly login: Guest['login'];
  readonly peer: PeerInfo;
  readonly methods: MethodTable = new MethodTable();
  readonly core: Peer;
  /** Names of what is served, which the client hears in its welcome. */
  services: readonly string[] = [];
  readonly #onOver: (why: string) => void;
  readonly #grace: number;
  readonly #interval: number;
  readonly #cleanups: (() => void)[] = [];
  readonly #seats = new Map<LaneName, Seat>();
  #heartbeat: Heartbeat | undefined;
  #patience: NodeJS.Timeout | undefined;
  #current: IncomingCall | undefined;
  /** While the session waits for the end of what is under way. */
  #drain: NodeJS.Timeout | undefined;
  /** The client has said that nothing more comes. */
  #goodBye = false;
  /** Either side has said that it will not come back. */
  #leaving = false;
  #over = false;

  constructor(init: FarSessionInit) {
    this.id = init.id;
    this.login = init.login;
    this.peer = init.login.peer;
    this.#grace = init.grace;
    this.#interval = init.heartbeat;
    this.#onOver = init.onOver;
    this.core = new Peer('far', this.methods, {
      laneDown: (lane) => this.#laneDown(lane),
      goAway: () => {
        this.#leaving = true;
        this.#goodBye = true;
      },
    });
    this.methods.addCall('session.ping', () => null);
    const context = this.#context(new SessionPolicy(init.rules), init.alone);
    for (const patch of init.patches) this.#serve(patch, context);
  }

  onEnd(cleanup: () => void): void {
    this.#cleanups.push(cleanup);
  }

  #context(policy: PolicyView, alone: boolean): RemoteContext {
    return {
      policy,
      alone,
      session: this.id,
      peer: this.peer,
      signal: () => this.#current?.signal ?? new AbortController().signal,
      onEnd: (cleanup) => this.onEnd(cleanup),
    };
  }

  #serve(patch: AnyPatch, context: RemoteContext): void {
    const half = patch.remote?.(context);
    if (half === undefined) return;
    for (const [name, handler] of Object.entries(half.calls)) {
      const call = handler as (...args: unknown[]) => unknown;
      this.methods.addCall(`${patch.name}.${name}`, (args, incoming) => {
        this.#current = incoming;
        return call(...args);
      });
    }
    for (const [name, opener] of Object.entries(half.streams ?? {})) {
      const open = opener as unknown as (stream: SessionStream, ...args: unknown[]) => void;
      this.methods.addStream(`${patch.name}.${name}`, (stream, args) => open(stream, ...args));
    }
  }

  secrets(lane: LaneName): readonly Buffer[] | undefined {
    return this.#seats.get(lane)?.secrets.all;
  }

  attach(transport: Transport, admission: Admission): void {
    const seat = this.#seat(admission);
    try {
      seat.lane.checkReceived(admission.received);
    } catch (error) {
      // The links that the session has stay as they are. One that has none yet never gets one from this client.
      if (!this.#connected && this.#patience === undefined) this.end((error as Error).message);
      throw error;
    }
    // A link that only seems to live must not receive anything more: it would not be counted.
    seat.lane.detach();
    seat.secrets.add(admission.proven, admission.next);
    const self = { ...selfInfo(), services: this.services };
    const times = { grace: this.#grace, heartbeat: this.#interval };
    const first = welcome(admission, self, seat.lane.received, times);
    transport.send(first.kind, first.body);
    seat.lane.attach(admission.oneWay ? oneWay(transport) : transport, admission.received);
    signsOfAgent(transport, this.peer, admission.heartbeat);
    this.#stopWaiting();
    this.#heartbeat?.stop();
    if (this.#interval > 0) this.#heartbeat = this.#newHeartbeat();
  }

  #newHeartbeat(): Heartbeat {
    const heart = sessionHeart(
      () => this.#lanes,
      (lane) => this.core.runningOn(lane) > 0,
      {
        // Its thread may only be busy. A link that is broken it notices, and dials another, by itself: so they stay.
        silent: () => this.#beginWaiting(),
        alive: () => this.#stopWaiting(),
      },
    );
    return new Heartbeat(heart, this.#interval);
  }

  #stopWaiting(): void {
    clearTimeout(this.#patience);
    this.#patience = undefined;
  }

  get #lanes(): Lane[] {
    return [...this.#seats.values()].map(({ lane }) => lane);
  }

  #seat({ lane, proven }: Admission): Seat {
    const known = this.#seats.get(lane);
    if (known === undefined) {
      const seat = {
        lane: lane === 'main' ? this.core.main : new Lane('sync', this.core),
        secrets: new LaneSecrets(),
      };
      this.#seats.set(lane, seat);
      return seat;
    }
    // One that never got through may be tried again; else the client must prove that the lane is its own.
    if (proven === undefined && known.lane.received > 0)
      throw new ElsewhereError('ERR_ELSEWHERE_CLOSED', `this session already has its ${lane} link`);
    return known;
  }

  #laneDown(lane: Lane): void {
    if (lane.fault !== undefined) return this.#leave(lane.fault.message);
    if (this.#leaving) return this.#leave('it was closed');
    if (this.#grace === 0) return this.#leave('its link was lost, and it has no grace');
    if (this.#connected) return;
    this.#heartbeat?.stop();
    this.#beginWaiting();
  }

  /** From now on the client has its grace. */
  #beginWaiting(): void {
    if (this.#patience === undefined) this.#wait(this.#grace);
  }

  /** For `left` milliseconds, or until the client is known to have ended: its sockets and children go with it. */
  #wait(left: number): void {
    if (left <= 0) return this.end('it has waited longer than its grace allows');
    if (hasEnded(this.peer)) return this.end('its client had ended');
    const pause = Math.min(left, LOOK);
    this.#patience = setTimeout(() => this.#wait(left - pause), pause).unref();
  }

  get #connected(): boolean {
    return [...this.#seats.values()].some(({ lane }) => lane.transport !== undefined);
  }

  /** Without grace the last link, and always the main one, takes the session with it. */
  #leave(why: string): void {
    if (this.core.main.transport === undefined || !this.#connected) this.end(why);
  }

  drain(reason: string, ms: number): void {
    if (ms === 0 || this.core.main.transport === undefined) return this.close(reason);
    this.core.stopServing();
    this.core.main.farewell(reason);
    const began = performance.now();
    let last: number | undefined;
    this.#drain = setInterval(() => {
      const waited = performance.now() - began;
      // Its good-bye is behind all that it has asked: what was sent until then is all that we have to answer.
      if (this.#goodBye && (this.core.runningCalls === 0 || waited > ms))
        last ??= this.core.main.sent;
      const done = last !== undefined && this.core.main.acknowledged >= last;
      if (done || waited > ms + LATECOMERS) this.close(reason);
    }, DRAIN_CHECK);
  }

  close(reason: string): void {
    this.#leaving = true;
    clearInterval(this.#drain);
    if (!this.#connected) return this.end(reason);
    for (const { lane } of this.#seats.values()) lane.close(reason);
  }

  /** Ends at once: closes what the client held. */
  end(why: string): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#patience);
    clearInterval(this.#drain);
    this.#heartbeat?.stop();
    const reason = new ElsewhereError('ERR_ELSEWHERE_CONNECTION_LOST', 'the session is over');
    this.core.lose(reason);
    for (const { lane } of this.#seats.values()) lane.destroy();
    for (const cleanup of this.#cleanups.reverse()) cleanup();
    this.#onOver(why);
  }
}

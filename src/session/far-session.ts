/** The agent's end of a session: the patches' remote halves for one client, on as many links as it opened. */
import { ElsewhereError } from '../base/errors.ts';
import type { IncomingCall } from '../connection/calls.ts';
import type { PeerInfo } from '../connection/channel.ts';
import { Lane } from '../connection/lane.ts';
import { MethodTable } from '../connection/methods.ts';
import { Peer } from '../connection/peer.ts';
import type { SessionStream } from '../connection/stream.ts';
import type { AnyPatch, RemoteContext } from '../patch.ts';
import type { Transport } from '../transport/transport.ts';
import type { LaneName } from './handshake.ts';

/** Adds what the layers above serve to every session: classic mode, services. */
export type Extend = (session: FarSession) => void;

export class FarSession {
  readonly id: string;
  readonly peer: PeerInfo;
  readonly methods: MethodTable = new MethodTable();
  readonly core: Peer;
  readonly #onOver: () => void;
  readonly #cleanups: (() => void)[] = [];
  readonly #syncLanes = new Set<Lane>();
  #current: IncomingCall | undefined;
  #over = false;

  constructor(id: string, peer: PeerInfo, patches: readonly AnyPatch[], onOver: () => void) {
    this.id = id;
    this.peer = peer;
    this.#onOver = onOver;
    this.core = new Peer('far', this.methods, {
      laneClosed: (lane) => this.#laneClosed(lane),
      goAway: () => undefined,
    });
    this.methods.addCall('session.ping', () => null);
    const context = this.#context();
    for (const patch of patches) this.#serve(patch, context);
  }

  onEnd(cleanup: () => void): void {
    this.#cleanups.push(cleanup);
  }

  #context(): RemoteContext {
    return {
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

  /** A second main lane is refused: taking over a session comes with resume. */
  attach(lane: LaneName, transport: Transport): void {
    if (lane === 'sync') {
      const sync = new Lane('sync', this.core);
      this.#syncLanes.add(sync);
      sync.attach(transport);
    } else if (this.core.main.transport === undefined) {
      this.core.main.attach(transport);
    } else {
      throw new ElsewhereError('ERR_ELSEWHERE_CLOSED', 'this session already has its main link');
    }
  }

  #laneClosed(lane: Lane): void {
    this.#syncLanes.delete(lane);
    const mainOpen = this.core.main.transport !== undefined && lane !== this.core.main;
    // A client that only ever made blocking calls has no main lane: its last sync lane is its session.
    if (lane === this.core.main || (!mainOpen && this.#syncLanes.size === 0)) this.end();
  }

  /** Tells the client and ends after what is under way was sent. */
  close(reason: string): void {
    for (const lane of this.#syncLanes) lane.close(reason);
    this.core.main.close(reason);
  }

  /** Ends at once: closes what the client held. */
  end(): void {
    if (this.#over) return;
    this.#over = true;
    const reason = new ElsewhereError('ERR_ELSEWHERE_CONNECTION_LOST', 'the session is over');
    this.core.lose(reason);
    for (const lane of [...this.#syncLanes]) lane.destroy();
    for (const cleanup of this.#cleanups.reverse()) cleanup();
    this.#onOver();
  }
}

/**
 * One end of a session, the same on both sides: it makes calls and answers them, and owns the streams. Lanes carry its
 * frames; it does not know how they are dialled or who the peer is.
 */
import { ElsewhereError } from '../base/errors.ts';
import { Op } from '../wire/message.ts';
import { answer, OutgoingCalls } from './calls.ts';
import type { ByteStream, Channel, StreamHandler } from './channel.ts';
import { currentEpisode } from './episode.ts';
import { asArgs, BARRIER, IncomingCalls, notExecuted } from './incoming-calls.ts';
import { Lane } from './lane.ts';
import type { LaneOwner } from './lane-owner.ts';
import type { MethodTable } from './methods.ts';
import { protocolError } from './protocol-error.ts';
import { StreamTable } from './stream-table.ts';

/** What the session above is told. */
export interface PeerEvents {
  /** A lane has no transport any more: attach another one, or end the session. */
  laneDown(lane: Lane, error: Error | undefined): void;
  goAway(reason: string): void;
}

/** Name of the notification that tells a blocked peer what its call waits for. */
export const BEHIND = 'session.behind';

/** Milliseconds between words to a blocked peer that its call still waits for the main lane. */
const REMINDER = 20;

/** Calls on a sync lane that wait until `count` packets of the main lane have come. */
interface Barrier {
  readonly count: number;
  readonly frames: unknown[][];
  readonly reminder: NodeJS.Timeout;
}

export class Peer implements LaneOwner {
  readonly main: Lane;
  readonly methods: MethodTable;
  readonly streams: StreamTable;
  readonly calls: OutgoingCalls = new OutgoingCalls();
  readonly #events: PeerEvents;
  readonly #incoming: IncomingCalls;
  /** Calls on the sync lane that wait until the main lane has caught up, with the count they wait for. */
  readonly #barriers = new Map<Lane, Barrier>();
  #lost: Error | undefined;
  /** Why the peer takes no more of our requests. */
  #unwanted: Error | undefined;

  constructor(side: 'near' | 'far', methods: MethodTable, events: PeerEvents) {
    this.methods = methods;
    this.#events = events;
    this.#incoming = new IncomingCalls(methods, this.calls);
    this.main = new Lane('main', this);
    this.streams = new StreamTable(side === 'near' ? 1 : 2, this.main);
  }

  get lost(): Error | undefined {
    return this.#lost;
  }

  runningOn(lane: Lane): number {
    return this.#incoming.runningOn(lane);
  }

  get runningCalls(): number {
    return this.#incoming.running;
  }

  // Ours.

  request(...[method, args, done, timeout, most]: Parameters<Channel['request']>): number {
    const obstacle = this.#lost ?? this.#unwanted;
    if (obstacle !== undefined) {
      const error = closedError(method, obstacle);
      process.nextTick(() => answer(done, error));
      return -1;
    }
    const lane = this.#laneForRequests;
    const id = this.calls.nextId;
    // Encoded before the slot is taken: a value that cannot travel throws here and leaves nothing behind.
    if (timeout === undefined) lane.postMethod([Op.CALL, id], method, args);
    else lane.postMethod([Op.CALL, id], method, timeout, args);
    this.calls.add(method, lane, done, most);
    this.#incoming.asked(lane);
    return id;
  }

  /** Where the peer reads: if it is blocked in a call that the running code works for, only there. */
  get #laneForRequests(): Lane {
    const episode = currentEpisode();
    return episode !== undefined && this.#incoming.isOpen(episode) ? episode.lane : this.main;
  }

  cancel(id: number): void {
    this.calls.laneOf(id)?.post([Op.CANCEL, id]);
  }

  notify(method: string, args: readonly unknown[]): void {
    if (this.#lost === undefined) this.main.postMethod([Op.NOTIFY], method, args);
  }

  open(method: string, args: readonly unknown[], handler: StreamHandler): ByteStream {
    const obstacle = this.#lost ?? this.#unwanted;
    if (obstacle !== undefined) return this.streams.dead(closedError(method, obstacle), handler);
    const id = this.streams.newId();
    this.main.postMethod([Op.OPEN, id], method, args);
    return this.streams.create(id, handler);
  }

  /** The peer is leaving: what is under way still gets its answer, requests from now on fail as not sent. */
  stopAsking(reason: Error): void {
    this.#unwanted ??= reason;
  }

  /** From now on the peer's requests are refused as not carried out; those under way go on. */
  stopServing(): void {
    this.#incoming.refuse();
  }

  /** Ends the session on this side: everything pending fails with `error`. */
  lose(error: Error): void {
    if (this.#lost !== undefined) return;
    this.#lost = error;
    this.#incoming.lose();
    for (const { reminder } of this.#barriers.values()) clearInterval(reminder);
    this.calls.lose(error);
    this.streams.lose(error);
  }

  // LaneOwner.

  newStreamId(): number {
    return this.streams.newId();
  }

  frame(lane: Lane, frame: unknown[], size: number): void {
    if (lane !== this.main && this.#heldBack(lane, frame)) return;
    this.#dispatch(lane, frame, size);
  }

  announced([op, id]: readonly unknown[], size: number): void {
    if (op === Op.RETURN || op === Op.THROW) this.calls.checkSize(id, size);
  }

  advanced(lane: Lane): void {
    if (lane === this.main && this.#barriers.size > 0) this.#releaseBarriers();
  }

  #dispatch(lane: Lane, frame: unknown[], size: number): void {
    switch (frame[0]) {
      case Op.CALL:
      case Op.NOTIFY:
        return this.#incoming.take(lane, frame, size);
      case Op.RETURN:
        return answer(this.calls.settle(frame[1]), null, frame[2]);
      case Op.THROW:
        return answer(this.calls.settle(frame[1]), frame[2] ?? thrownNothing(frame[2]));
      case Op.CANCEL:
        return this.#incoming.cancel(lane, frame[1]);
      case Op.OPEN:
        return this.streams.opened(
          frame[1],
          this.#incoming.refusing ? refuseStream : this.methods.stream(frame[2] as string),
          asArgs(frame[3]),
          frame[2] as string,
        );
      case Op.SIGNAL:
        return this.streams.signal(frame[1], frame[2], size);
      default:
        throw protocolError(`an unknown frame (${String(frame[0])})`);
    }
  }

  // The sync lane is ordered behind the main lane: its calls wait until what was sent there before has arrived.

  #heldBack(lane: Lane, frame: unknown[]): boolean {
    const barrier = this.#barriers.get(lane);
    if (barrier !== undefined) {
      barrier.frames.push(frame);
      return true;
    }
    if (frame[0] !== Op.NOTIFY || frame[1] !== BARRIER) return false;
    const count = asArgs(frame[2])[0];
    if (typeof count !== 'number') throw protocolError('a barrier without a count');
    if (count > this.main.received) {
      const reminder = setInterval(() => this.#tellBehind(lane), REMINDER).unref();
      this.#barriers.set(lane, { count, frames: [], reminder });
      if (this.main.transport === undefined) this.#tellBehind(lane);
    }
    return true;
  }

  /** What the lane waits for may never come: then its peer, which is blocked, has to bring it. */
  #tellBehind(lane: Lane): void {
    // It would be said many times over where nobody hears it, and is said soon enough when somebody does.
    if (lane.transport === undefined) return;
    lane.postMethod([Op.NOTIFY], BEHIND, [this.main.transport !== undefined]);
  }

  #releaseBarriers(): void {
    for (const [lane, barrier] of this.#barriers) {
      if (barrier.count > this.main.received) continue;
      this.#barriers.delete(lane);
      clearInterval(barrier.reminder);
      try {
        for (const frame of barrier.frames) this.frame(lane, frame, 0);
      } catch (error) {
        // What is wrong with these frames is no fault of the main lane.
        lane.destroy(error as Error);
      }
    }
  }

  data(lane: Lane, stream: number, bytes: Uint8Array): void {
    if (lane !== this.main) throw protocolError('stream data on its sync lane');
    this.streams.data(stream, bytes);
  }

  credit(stream: number, bytes: number): void {
    this.streams.credit(stream, bytes);
  }

  end(stream: number): void {
    this.streams.end(stream);
  }

  reset(stream: number, reason: string): void {
    this.streams.reset(stream, reason);
  }

  goAway(reason: string): void {
    this.#events.goAway(reason);
  }

  drained(lane: Lane): void {
    if (lane === this.main) this.streams.pump();
  }

  /** What the peer asked for goes on: its answers wait for the next transport. */
  down(lane: Lane, error: Error | undefined): void {
    this.#events.laneDown(lane, error);
    if (lane === this.main) for (const waiting of this.#barriers.keys()) this.#tellBehind(waiting);
  }
}

/** `Done` takes null for success. */
function thrownNothing(value: unknown): Error {
  return new Error(`the far side threw ${value}`);
}

function refuseStream(_stream: unknown): never {
  throw notExecuted('a stream');
}

function closedError(method: string, reason: Error): ElsewhereError {
  return new ElsewhereError(
    'ERR_ELSEWHERE_CLOSED',
    `${method} was not sent: the connection is closed (${reason.message})`,
    {
      cause: reason,
      maybeExecuted: false,
    },
  );
}

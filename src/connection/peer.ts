/**
 * One end of a session, the same on both sides: it makes calls and answers them, and owns the streams. Lanes carry its
 * frames; it does not know how they are dialled or who the peer is.
 */
import { currentContext, runDetached } from '../base/context.ts';
import { ElsewhereError } from '../base/errors.ts';
import { Op } from '../wire/message.ts';
import { answer, IncomingCall, isId, OutgoingCalls } from './calls.ts';
import type { ByteStream, Done, StreamHandler } from './channel.ts';
import { currentEpisode, Episode } from './episode.ts';
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

/** Names of the notifications that keep the two lanes of a session in order. */
export const BARRIER = 'session.barrier';
export const BEHIND = 'session.behind';

/** Milliseconds between words to a blocked peer that its call still waits for the main lane. */
const REMINDER = 20;

/** Calls on a sync lane that wait until `count` packets of the main lane have come. */
interface Barrier {
  readonly count: number;
  readonly frames: unknown[][];
  readonly reminder: NodeJS.Timeout;
}

/** Above this many running calls of the peer we stop reading its lane until some are done. */
const MAX_RUNNING = 4096;

export class Peer implements LaneOwner {
  readonly main: Lane;
  readonly methods: MethodTable;
  readonly streams: StreamTable;
  readonly calls: OutgoingCalls = new OutgoingCalls();
  readonly #events: PeerEvents;
  readonly #running = new Map<Lane, Map<number, IncomingCall>>();
  /** Of the lanes on which a thread of the peer is blocked. */
  readonly #episodes = new Map<Lane, Episode>();
  /** Calls on the sync lane that wait until the main lane has caught up, with the count they wait for. */
  readonly #barriers = new Map<Lane, Barrier>();
  /** Notifications that are dealt with. */
  #unanswered = 0;
  #lost: Error | undefined;
  /** Why the peer takes no more of our requests. */
  #unwanted: Error | undefined;
  /** We take no more of the peer's requests. */
  #stopping = false;

  constructor(side: 'near' | 'far', methods: MethodTable, events: PeerEvents) {
    this.methods = methods;
    this.#events = events;
    this.main = new Lane('main', this);
    this.streams = new StreamTable(side === 'near' ? 1 : 2, this.main);
  }

  get lost(): Error | undefined {
    return this.#lost;
  }

  runningOn(lane: Lane): number {
    return this.#running.get(lane)?.size ?? 0;
  }

  get runningCalls(): number {
    let total = 0;
    for (const calls of this.#running.values()) total += calls.size;
    return total;
  }

  // Ours.

  request(method: string, args: readonly unknown[], done: Done, timeout?: number): number {
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
    return this.calls.add(method, lane, done);
  }

  /** Where the peer reads: if it is blocked in a call that the running code works for, only there. */
  get #laneForRequests(): Lane {
    const episode = currentEpisode();
    const isOurs = episode !== undefined && this.#episodes.get(episode.lane) === episode;
    return isOurs ? episode.lane : this.main;
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
    this.#stopping = true;
    // What was left unread for there being too many gets its refusal.
    for (const lane of this.#running.keys()) lane.paused = false;
  }

  /** Ends the session on this side: everything pending fails with `error`. */
  lose(error: Error): void {
    if (this.#lost !== undefined) return;
    this.#lost = error;
    for (const running of this.#running.values())
      for (const call of running.values()) call.cancel();
    this.#running.clear();
    this.#episodes.clear();
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

  advanced(lane: Lane): void {
    if (lane === this.main && this.#barriers.size > 0) this.#releaseBarriers();
  }

  #dispatch(lane: Lane, frame: unknown[], size: number): void {
    switch (frame[0]) {
      case Op.CALL:
        return this.#call(lane, frame[1], frame[2] as string, frame.at(-1), timeoutOf(frame));
      case Op.RETURN:
        return answer(this.calls.settle(frame[1]), null, frame[2]);
      case Op.THROW:
        return answer(this.calls.settle(frame[1]), frame[2] ?? thrownNothing(frame[2]));
      case Op.CANCEL:
        return this.#running
          .get(lane)
          ?.get(frame[1] as number)
          ?.cancel();
      case Op.NOTIFY:
        return this.#notified(lane, frame[1] as string, frame[2]);
      case Op.OPEN:
        return this.streams.opened(
          frame[1],
          this.#stopping ? refuseStream : this.methods.stream(frame[2] as string),
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

  // Theirs.

  #call(lane: Lane, id: unknown, method: string, args: unknown, timeout: number | undefined): void {
    let running = this.#running.get(lane);
    if (running === undefined) {
      running = new Map();
      this.#running.set(lane, running);
    }
    if (!isId(id) || running.has(id))
      throw protocolError('a call with an id that is none, or in use');
    if (this.#stopping) return this.#reply(lane, Op.THROW, id, notExecuted(method));
    const call = new IncomingCall(id, lane, this.#begin(lane));
    let result: unknown;
    try {
      result = this.#invoke(method, asArgs(args), call);
    } catch (error) {
      return this.#finish(call, Op.THROW, error);
    }
    if (!isPromise(result)) return this.#finish(call, Op.RETURN, result);
    running.set(id, call);
    if (timeout !== undefined) call.endWithin(timeout);
    this.#throttle(lane);
    const finish = (op: number, value: unknown): void => {
      if (!this.#running.get(lane)?.delete(id)) return;
      this.#throttle(lane);
      this.#finish(call, op, value);
    };
    result.then(
      (value) => finish(Op.RETURN, value),
      (error: unknown) => finish(Op.THROW, error),
    );
  }

  /** On any lane but the main one a thread waits for the answer. */
  #begin(lane: Lane): Episode | undefined {
    if (lane === this.main) return undefined;
    const episode = this.#episodes.get(lane) ?? new Episode(lane);
    this.#episodes.set(lane, episode);
    episode.calls++;
    return episode;
  }

  #finish(call: IncomingCall, op: number, value: unknown): void {
    const { id, lane, episode } = call;
    call.over();
    this.#reply(lane, op, id, value);
    if (episode === undefined || --episode.calls > 0) return;
    this.#episodes.delete(lane);
  }

  /** One more, or one less, of what the peer has asked for is under way. */
  #throttle(lane: Lane): void {
    lane.paused = this.runningOn(lane) + this.#unanswered >= MAX_RUNNING;
  }

  /** Nobody waits for it, so only we can keep too many from running. */
  #bounded(lane: Lane, work: Promise<unknown>): void {
    this.#unanswered++;
    this.#throttle(lane);
    const over = (): void => {
      this.#unanswered--;
      this.#throttle(lane);
    };
    work.then(over, over);
  }

  #invoke(method: string, args: unknown[], call: IncomingCall | undefined): unknown {
    // The handler is the agent's own code: whatever scope the transport was made in, it works on this machine.
    if (currentContext() === undefined) return this.methods.invoke(method, args, call);
    return runDetached(() => this.methods.invoke(method, args, call));
  }

  #reply(lane: Lane, op: number, id: number, value: unknown): void {
    try {
      lane.post([op, id, value]);
    } catch (error) {
      // A result that cannot travel is the call's failure, not the link's.
      lane.post([Op.THROW, id, error]);
    }
  }

  #notified(lane: Lane, method: string, args: unknown): void {
    if (method === BARRIER) throw protocolError(`a barrier on its ${lane.name} lane`);
    try {
      const result = this.#invoke(method, asArgs(args), undefined);
      if (isPromise(result)) this.#bounded(lane, result);
    } catch {
      // A notification has no answer, so its failure has nowhere to go.
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

function asArgs(value: unknown): unknown[] {
  if (!Array.isArray(value)) throw protocolError('arguments that are not a list');
  return value;
}

/** Milliseconds that its caller gives a call. */
function timeoutOf(frame: readonly unknown[]): number | undefined {
  if (frame.length < 5) return undefined;
  const timeout = frame[3];
  if (typeof timeout === 'number' && timeout > 0) return timeout;
  throw protocolError('a call with a time limit that is none');
}

function isPromise(value: unknown): value is Promise<unknown> {
  // Only real promises: a result with a `then` of its own is data.
  return value instanceof Promise;
}

/** `Done` takes null for success. */
function thrownNothing(value: unknown): Error {
  return new Error(`the far side threw ${value}`);
}

/** Made here for a caller over there. */
function notExecuted(method: string): ElsewhereError {
  return new ElsewhereError(
    'ERR_ELSEWHERE_CLOSED',
    `${method} was not carried out: the far side is stopping`,
    { maybeExecuted: false },
  );
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

/**
 * What the peer asks of us: calls and notifications, from their frame to their answer. Only so many run at once. While
 * too many do, the peer is not read; but if it owes us answers, those that run may be waiting for them, so that it is
 * read on and what it asks for waits in a backlog.
 */
import { currentContext, runDetached } from '../base/context.ts';
import { ElsewhereError } from '../base/errors.ts';
import { Op } from '../wire/message.ts';
import { Backlog } from './backlog.ts';
import { aborted, IncomingCall, isId, type OutgoingCalls, RunningCalls } from './calls.ts';
import { Episode } from './episode.ts';
import type { Lane } from './lane.ts';
import type { MethodTable } from './methods.ts';
import { protocolError } from './protocol-error.ts';

/** Name of the notification that says how much of the main lane a blocked call waits for. */
export const BARRIER = 'session.barrier';

/** Above this many running calls of a lane no more are begun until some are done. */
const MAX_RUNNING = 4096;
/** Milliseconds without any answer, in either direction, after which calls that wait for each other are given up. */
export const STANDSTILL = 10_000;

/** Of one lane. */
interface Calls {
  readonly lane: Lane;
  readonly running: RunningCalls;
  readonly backlog: Backlog;
}

export class IncomingCalls {
  readonly #methods: MethodTable;
  readonly #outgoing: OutgoingCalls;
  readonly #lanes = new Map<Lane, Calls>();
  /** Of the lanes on which a thread of the peer is blocked. */
  readonly #episodes = new Map<Lane, Episode>();
  /** Notifications that are dealt with. */
  #unanswered = 0;
  /** Calls that ended. */
  #ended = 0;
  /** Set while something waits. */
  #watch: NodeJS.Timeout | undefined;
  #refusing = false;
  #lost = false;

  constructor(methods: MethodTable, outgoing: OutgoingCalls) {
    this.#methods = methods;
    this.#outgoing = outgoing;
  }

  get running(): number {
    let total = 0;
    for (const { running } of this.#lanes.values()) total += running.size;
    return total;
  }

  runningOn(lane: Lane): number {
    return this.#lanes.get(lane)?.running.size ?? 0;
  }

  /** False once the last call of the blocked thread is answered. */
  isOpen(episode: Episode): boolean {
    return this.#episodes.get(episode.lane) === episode;
  }

  /** No more calls are carried out; those under way go on. */
  get refusing(): boolean {
    return this.#refusing;
  }

  refuse(): void {
    this.#refusing = true;
    // What was left unread for there being too many gets its refusal.
    for (const calls of this.#lanes.values()) this.#refuseWaiting(calls, notExecuted);
  }

  lose(): void {
    this.#lost = true;
    for (const { running } of this.#lanes.values()) for (const call of running) call.cancel();
    this.#lanes.clear();
    this.#episodes.clear();
    this.#stopWatch();
  }

  /** We ask something of a peer that is not read, perhaps: then its answer could not come. */
  asked(lane: Lane): void {
    if (lane.paused) this.#throttle(this.#callsOf(lane));
  }

  /** A call or a notification that came in a packet of `size` bytes. */
  take(lane: Lane, frame: unknown[], size: number): void {
    const calls = this.#callsOf(lane);
    const { running, backlog } = calls;
    const waits = !backlog.isEmpty || (this.#isBusy(calls) && this.#outgoing.size > 0);
    if (!waits || (this.#refusing && frame[0] === Op.CALL)) return this.#start(calls, frame);
    if (frame[0] === Op.CALL && running.has(frame[1] as number))
      throw protocolError('a call with an id that is in use');
    backlog.add(frame, size, lane.received);
    this.#throttle(calls);
  }

  cancel(lane: Lane, id: unknown): void {
    const calls = this.#lanes.get(lane);
    if (calls?.backlog.take(id) !== undefined) this.#reply(lane, Op.THROW, id as number, aborted());
    else calls?.running.get(id as number)?.cancel();
  }

  #callsOf(lane: Lane): Calls {
    let calls = this.#lanes.get(lane);
    if (calls === undefined) {
      calls = { lane, running: new RunningCalls(), backlog: new Backlog() };
      this.#lanes.set(lane, calls);
    }
    return calls;
  }

  #start(calls: Calls, frame: unknown[]): void {
    if (frame[0] === Op.NOTIFY) this.#notified(calls, frame[1] as string, frame[2]);
    else this.#call(calls, frame[1], frame[2] as string, frame.at(-1), timeoutOf(frame));
  }

  #call(calls: Calls, id: unknown, method: string, args: unknown, timeout?: number): void {
    const { lane, running } = calls;
    if (!isId(id) || running.has(id))
      throw protocolError('a call with an id that is none, or in use');
    if (this.#refusing) return this.#reply(lane, Op.THROW, id, notExecuted(method));
    const call = new IncomingCall(id, lane, this.#begin(lane));
    let result: unknown;
    try {
      result = this.#invoke(method, asArgs(args), call);
    } catch (error) {
      return this.#finish(call, Op.THROW, error);
    }
    if (!isPromise(result)) return this.#finish(call, Op.RETURN, result);
    running.add(call);
    if (timeout !== undefined) call.endWithin(timeout);
    this.#throttle(calls);
    const finish = (op: number, value: unknown): void => {
      if (this.#lost || !running.delete(id)) return;
      this.#finish(call, op, value);
      this.#lessUnderWay(calls);
    };
    result.then(
      (value) => finish(Op.RETURN, value),
      (error: unknown) => finish(Op.THROW, error),
    );
  }

  /** On any lane but the main one a thread waits for the answer. */
  #begin(lane: Lane): Episode | undefined {
    if (lane.name === 'main') return undefined;
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

  #isBusy({ running }: Calls): boolean {
    return running.size + this.#unanswered >= MAX_RUNNING;
  }

  /** One more, or one less, of what the peer has asked for is under way. */
  #throttle(calls: Calls): void {
    const { lane, backlog } = calls;
    const isStuck = backlog.isEmpty ? this.#outgoing.size === 0 : backlog.isFull;
    lane.paused = isStuck && !this.#refusing && this.#isBusy(calls);
    if (!backlog.isEmpty) this.#watchProgress();
  }

  #lessUnderWay(calls: Calls): void {
    this.#ended++;
    const { lane, backlog } = calls;
    try {
      while (!backlog.isEmpty && !this.#isBusy(calls))
        this.#start(calls, backlog.shift() as unknown[]);
    } catch (error) {
      return lane.destroy(error as Error);
    }
    this.#throttle(calls);
  }

  // Calls of both sides may wait for each other.

  #watchProgress(): void {
    if (this.#watch !== undefined) return;
    let known = this.#answers;
    this.#watch = setInterval(() => {
      const stands = known === this.#answers;
      known = this.#answers;
      const waiting = [...this.#lanes.values()].filter(({ backlog }) => !backlog.isEmpty);
      if (waiting.length === 0) return this.#stopWatch();
      if (!stands) return;
      for (const calls of waiting)
        if (this.#mayBeCircular(calls)) this.#refuseWaiting(calls, circular);
    }, STANDSTILL).unref();
  }

  #stopWatch(): void {
    clearInterval(this.#watch);
    this.#watch = undefined;
  }

  /** In both directions. */
  get #answers(): number {
    return this.#ended + this.#outgoing.settled;
  }

  /** Each of those that run may be waiting for the peer. Else one may end by itself, however long it takes. */
  #mayBeCircular(calls: Calls): boolean {
    const underWay = calls.running.size + this.#unanswered;
    return this.#isBusy(calls) && this.#outgoing.size >= underWay;
  }

  /** Notifications stay: what was given back with them would be kept for ever. */
  #refuseWaiting(calls: Calls, reason: (method: string) => Error): void {
    for (const [, id, method] of calls.backlog.takeCalls())
      this.#reply(calls.lane, Op.THROW, id as number, reason(method as string));
    this.#throttle(calls);
  }

  /** Nobody waits for it, so only we can keep too many from running. */
  #bounded(calls: Calls, work: Promise<unknown>): void {
    this.#unanswered++;
    this.#throttle(calls);
    const over = (): void => {
      this.#unanswered--;
      if (!this.#lost) this.#lessUnderWay(calls);
    };
    work.then(over, over);
  }

  #invoke(method: string, args: unknown[], call: IncomingCall | undefined): unknown {
    // The handler is the agent's own code: whatever scope the transport was made in, it works on this machine.
    if (currentContext() === undefined) return this.#methods.invoke(method, args, call);
    return runDetached(() => this.#methods.invoke(method, args, call));
  }

  #reply(lane: Lane, op: number, id: number, value: unknown): void {
    try {
      lane.post([op, id, value]);
    } catch (error) {
      // A result that cannot travel is the call's failure, not the link's.
      lane.post([Op.THROW, id, error]);
    }
  }

  #notified(calls: Calls, method: string, args: unknown): void {
    if (method === BARRIER) throw protocolError(`a barrier on its ${calls.lane.name} lane`);
    try {
      const result = this.#invoke(method, asArgs(args), undefined);
      if (isPromise(result)) this.#bounded(calls, result);
    } catch {
      // A notification has no answer, so its failure has nowhere to go.
    }
  }
}

/** Throws ERR_ELSEWHERE_PROTOCOL. */
export function asArgs(value: unknown): unknown[] {
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

/** Made here for a caller over there. */
export function notExecuted(method: string): ElsewhereError {
  return new ElsewhereError(
    'ERR_ELSEWHERE_CLOSED',
    `${method} was not carried out: the far side is stopping`,
    { maybeExecuted: false },
  );
}

/** The same. */
function circular(method: string): ElsewhereError {
  return new ElsewhereError(
    'ERR_ELSEWHERE_LIMIT',
    `${method} was not carried out: ${MAX_RUNNING} calls run on the far side, which wait for answers of this side, and ` +
      `none came for ${STANDSTILL / 1000} s. Do the two sides call each other without end? If not, make fewer calls at once`,
    { maybeExecuted: false },
  );
}

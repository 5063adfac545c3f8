/** The calls under way in both directions: ours by slot number, the peer's by the id it chose. */
import { ElsewhereError } from '../base/errors.ts';
import type { Done } from './channel.ts';
import type { Episode } from './episode.ts';
import type { Lane } from './lane.ts';
import { protocolError } from './protocol-error.ts';
import { surface } from './surface.ts';

interface Slot {
  readonly method: string;
  readonly done: Done;
  readonly lane: Lane;
  /** The packet it travels in: at most `lane.handed` means that it has left. */
  readonly packet: number;
  /** Bytes that the byte arrays of its answer may have together. */
  readonly most: number;
}

/** What a slot can have as its number. */
export function isId(id: unknown): id is number {
  return typeof id === 'number' && id >>> 0 === id;
}

/** Our calls. Ids are slots with a free list, which is faster than a Map; each call gets exactly one answer, so reuse is safe. */
export class OutgoingCalls {
  #slots: (Slot | undefined)[] = [];
  #free: number[] = [];
  /** Calls that were answered. */
  settled = 0;

  get size(): number {
    return this.#slots.length - this.#free.length;
  }

  /** The id that the next `add` will use. */
  get nextId(): number {
    return this.#free.at(-1) ?? this.#slots.length;
  }

  add(method: string, lane: Lane, done: Done, most: number = Number.POSITIVE_INFINITY): number {
    const slot: Slot = { method, done, lane, packet: lane.nextPacket, most };
    const id = this.#free.pop();
    if (id === undefined) return this.#slots.push(slot) - 1;
    this.#slots[id] = slot;
    return id;
  }

  /** Where the call went; undefined once it is answered. */
  laneOf(id: number): Lane | undefined {
    return this.#slots[id]?.lane;
  }

  /** Throws ERR_ELSEWHERE_PROTOCOL for byte arrays of more bytes than the call's answer may bring. */
  checkSize(id: unknown, size: number): void {
    const slot = isId(id) ? this.#slots[id] : undefined;
    if (slot !== undefined && size > slot.most) throw tooMuch(slot.method, size, slot.most);
  }

  /** Takes the call out. Throws ERR_ELSEWHERE_PROTOCOL for an id that is not under way. */
  settle(id: unknown): Done {
    const slot = isId(id) ? this.#slots[id] : undefined;
    if (slot === undefined)
      throw new ElsewhereError(
        'ERR_ELSEWHERE_PROTOCOL',
        'the peer broke the protocol: it answered a call that was not made',
      );
    this.#slots[id as number] = undefined;
    this.#free.push(id as number);
    this.settled++;
    return slot.done;
  }

  /** Fails every call that is under way. */
  lose(reason: Error): void {
    const slots = this.#slots;
    this.#slots = [];
    this.#free = [];
    for (const slot of slots) if (slot !== undefined) answer(slot.done, lostCall(slot, reason));
  }
}

function lostCall(slot: Slot, reason: Error): ElsewhereError {
  const maybeExecuted = slot.packet <= slot.lane.handed;
  const fate = maybeExecuted ? 'the far side may have carried it out' : 'it was never sent';
  return new ElsewhereError(
    'ERR_ELSEWHERE_CONNECTION_LOST',
    `${slot.method} got no answer: ${reason.message}; ${fate}`,
    {
      cause: reason,
      maybeExecuted,
    },
  );
}

/** Nothing of it is taken. */
export function tooMuch(method: string, size: number, most: number): ElsewhereError {
  return protocolError(`${size} bytes in answer to ${method}, which may bring ${most}`);
}

/** Calls `done`, keeping its own exceptions away from the caller. */
export function answer(done: Done, error: unknown, value?: unknown): void {
  try {
    done(error, value);
  } catch (thrown) {
    surface(thrown);
  }
}

/** A call of the peer while its handler runs. */
export class IncomingCall {
  readonly id: number;
  readonly lane: Lane;
  /** Set if a thread of the peer is blocked until this call is answered. */
  readonly episode: Episode | undefined;
  #controller: AbortController | undefined;
  #cancelled: DOMException | undefined;
  #deadline: NodeJS.Timeout | undefined;

  constructor(id: number, lane: Lane, episode: Episode | undefined) {
    this.id = id;
    this.lane = lane;
    this.episode = episode;
  }

  /** Made only when a handler asks: most calls are never cancelled. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#cancelled !== undefined) this.#controller.abort(this.#cancelled);
    }
    return this.#controller.signal;
  }

  /** Nobody waits for the answer any more. */
  get cancelled(): boolean {
    return this.#cancelled !== undefined;
  }

  cancel(reason: DOMException = aborted()): void {
    this.over();
    this.#cancelled ??= reason;
    this.#controller?.abort(reason);
  }

  /** Cancels it after so many milliseconds, whether its caller is still there or not. */
  endWithin(timeout: number): void {
    this.#deadline = setTimeout(() => this.cancel(late(timeout)), timeout).unref();
  }

  /** It is answered. */
  over(): void {
    clearTimeout(this.#deadline);
  }
}

/** Calls of the peer that run, by its ids. Most often it is one: a map that becomes empty makes itself anew, which is dear. */
export class RunningCalls {
  #one: IncomingCall | undefined;
  readonly #others = new Map<number, IncomingCall>();

  get size(): number {
    return this.#others.size + (this.#one === undefined ? 0 : 1);
  }

  get(id: number): IncomingCall | undefined {
    return this.#one?.id === id ? this.#one : this.#others.get(id);
  }

  has(id: number): boolean {
    return this.get(id) !== undefined;
  }

  add(call: IncomingCall): void {
    if (this.#one === undefined) this.#one = call;
    else this.#others.set(call.id, call);
  }

  /** False for one that does not run. */
  delete(id: number): boolean {
    if (this.#one?.id !== id) return this.#others.delete(id);
    this.#one = undefined;
    return true;
  }

  *[Symbol.iterator](): Generator<IncomingCall> {
    if (this.#one !== undefined) yield this.#one;
    yield* this.#others.values();
  }
}

/** As an AbortController that is given no reason, and AbortSignal.timeout. */
export function aborted(): DOMException {
  return new DOMException('This operation was aborted', 'AbortError');
}

function late(timeout: number): DOMException {
  return new DOMException(`The caller gave this operation ${timeout} ms`, 'TimeoutError');
}

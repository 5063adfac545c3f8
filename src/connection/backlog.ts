/** What the peer asked for while too much of it was running: begun later, in the order in which it came. */
import { Op } from '../wire/message.ts';
import { isId } from './calls.ts';
import { protocolError } from './protocol-error.ts';

/** Above either of these a lane is not read until there is less. */
const MAX_FRAMES = 131_072;
const MAX_BYTES = 64 * 1024 * 1024;

interface Waiting {
  readonly frame: unknown[];
  readonly size: number;
}

export class Backlog {
  /** By id, notifications by their frame. */
  readonly #waiting = new Map<unknown, Waiting>();
  #bytes = 0;
  #packet = -1;

  get isEmpty(): boolean {
    return this.#waiting.size === 0;
  }

  get isFull(): boolean {
    return this.#waiting.size >= MAX_FRAMES || this.#bytes >= MAX_BYTES;
  }

  /** `size` is that of the packet with this number, which may have brought others. Throws ERR_ELSEWHERE_PROTOCOL. */
  add(frame: unknown[], size: number, packet: number): void {
    const key = keyOf(frame);
    if (this.#waiting.has(key)) throw protocolError('a call with an id that is in use');
    const own = packet === this.#packet ? 0 : size;
    this.#packet = packet;
    this.#bytes += own;
    this.#waiting.set(key, { frame, size: own });
  }

  /** Takes out what came first. */
  shift(): unknown[] | undefined {
    for (const key of this.#waiting.keys()) return this.take(key);
    return undefined;
  }

  /** Takes out all calls. */
  takeCalls(): unknown[][] {
    const calls = [...this.#waiting].filter(([, { frame }]) => frame[0] === Op.CALL);
    return calls.map(([key]) => this.take(key) as unknown[]);
  }

  /** Takes out the call with this id. */
  take(key: unknown): unknown[] | undefined {
    const waiting = this.#waiting.get(key);
    if (waiting === undefined) return undefined;
    this.#waiting.delete(key);
    this.#bytes -= waiting.size;
    return waiting.frame;
  }
}

function keyOf(frame: unknown[]): unknown {
  if (frame[0] !== Op.CALL) return frame;
  if (!isId(frame[1])) throw protocolError('a call with an id that is none');
  return frame[1];
}

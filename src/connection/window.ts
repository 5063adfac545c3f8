/**
 * How much a stream's sender may have under way to us. A reader that keeps up gets a larger window, so that a long link
 * does not hold it up; what all streams of a connection hold for readers that don't is bounded.
 */
import { Limit } from '../wire/message.ts';

/** Milliseconds: a reader that takes half a window sooner gets one twice as large, so it has what comes in 0.5 s. */
const SOON = 250;

/** What the windows of one connection share. */
export class WindowPool {
  /** Bytes by which windows have grown. */
  #grown = 0;
  /** Bytes that have come and were not taken. */
  #held = 0;

  /** Takes the bytes on, if there is room for them. */
  hold(bytes: number): boolean {
    this.#held += bytes;
    return this.#held <= Limit.HELD;
  }

  letGo(bytes: number): void {
    this.#held -= bytes;
  }

  grow(bytes: number): boolean {
    if (this.#grown + bytes > Limit.GROWN_WINDOWS) return false;
    this.#grown += bytes;
    return true;
  }

  shrink(bytes: number): void {
    this.#grown -= bytes;
  }
}

/** The receiving side's view of one stream. */
export class Window {
  readonly #pool: WindowPool;
  #size: number = Limit.STREAM_WINDOW;
  /** Taken by the reader, and not granted again yet. */
  #taken = 0;
  /** Come, and not taken: bytes of data, and of signals, which have no credit. */
  #data = 0;
  #signals = 0;
  #grantedAt = performance.now();

  constructor(pool: WindowPool) {
    this.#pool = pool;
  }

  /** False for more than the sender may send. */
  allows(bytes: number): boolean {
    return this.#data + this.#taken + bytes <= this.#size;
  }

  /** Something has come. False when the connection holds too much already. */
  came(bytes: number, isSignal: boolean): boolean {
    if (isSignal) this.#signals += bytes;
    else this.#data += bytes;
    return this.#pool.hold(bytes);
  }

  /** The reader takes it. Returns the credit that is due, 0 for none yet. */
  take(bytes: number, isSignal: boolean): number {
    this.#pool.letGo(bytes);
    if (isSignal) {
      this.#signals -= bytes;
      return 0;
    }
    this.#data -= bytes;
    this.#taken += bytes;
    return this.#taken >= this.#size / 2 ? this.#grant() : 0;
  }

  #grant(): number {
    const now = performance.now();
    const soon = now - this.#grantedAt < SOON;
    this.#grantedAt = now;
    let credit = this.#taken;
    this.#taken = 0;
    const more = Math.min(this.#size, Limit.LARGEST_WINDOW - this.#size);
    if (soon && more > 0 && this.#pool.grow(more)) {
      this.#size += more;
      credit += more;
    }
    return credit;
  }

  /** The stream is over. */
  close(): void {
    this.#pool.letGo(this.#data + this.#signals);
    this.#pool.shrink(this.#size - Limit.STREAM_WINDOW);
    this.#data = 0;
    this.#signals = 0;
    this.#size = Limit.STREAM_WINDOW;
  }
}

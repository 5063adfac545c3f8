/**
 * The reading half of a remote socket: keeps what arrives while nobody reads, hands it on one native call at a time, and
 * makes the far side wait when too much is unread.
 */
import { enqueue } from '../../src/base/event-queue.ts';
import { giveBack } from '../../src/base/spare-memory.ts';
import type { Http2Frames } from './http2-frames.ts';
import { type Arrival, type Failure, Inbox } from './inbox.ts';
import type { NativeStream } from './internals.ts';

export interface ReaderEvents {
  /** The far socket failed, and all bytes before that were read. */
  failed(failure: Failure): void;
  /** The far side should wait, or go on. */
  pause(on: boolean): void;
  /** `active` may have changed. */
  changed(): void;
}

/** libuv reads at most this much at a time. */
const READ_SIZE = 64 * 1024;
/** One TLS record: fed more, TLS hands several on at once, of which Node 26 reads one and waits. */
const NATIVE_READ_SIZE = 16 * 1024;
const HIGH_WATER = 256 * 1024;

export class Reader {
  /** Set once native code (TLS, HTTP/2) reads from the handle. */
  native = false;
  /** Set once it is HTTP/2 that reads. */
  frames: Http2Frames | undefined;
  /** Length of the user's own buffer (the `onread` option) that is read into next. */
  userBuffer: (() => number) | undefined;
  readonly #stream: NativeStream;
  readonly #events: ReaderEvents;
  readonly #inbox = new Inbox();
  #reading = false;
  #pumping = false;
  #paused = false;
  /** The end or a failure was handed on. */
  #finished = false;

  constructor(stream: NativeStream, events: ReaderEvents) {
    this.#stream = stream;
    this.#events = events;
  }

  /** True while it waits for something to arrive: a reason to keep the process alive. */
  get active(): boolean {
    return this.#reading && !this.#finished;
  }

  get paused(): boolean {
    return this.#paused;
  }

  start(): void {
    this.#reading = true;
    this.#pump();
    this.#events.changed();
  }

  stop(): void {
    this.#reading = false;
    this.#events.changed();
  }

  /** Reads no more, ever. */
  close(): void {
    this.#reading = false;
    this.#finished = true;
    this.#inbox.clear();
    this.#balance();
  }

  arrived(item: Arrival): void {
    if (this.#finished) return;
    this.#inbox.push(item);
    this.#pump();
    this.#balance();
  }

  #pump(): void {
    if (this.#pumping || !this.#reading || this.#inbox.empty) return;
    this.#pumping = true;
    // Never inside readStart: Node starts reading in the middle of its own work.
    enqueue(this.#deliver);
  }

  readonly #deliver = (): void => {
    this.#pumping = false;
    const item = this.#reading ? this.#inbox.take(this.#cut) : undefined;
    if (item === undefined) return;
    try {
      this.#hand(item);
    } finally {
      this.#balance();
      this.#pump();
    }
  };

  /** How much of what has arrived goes on in one native call. */
  readonly #cut = (bytes: Uint8Array): number => {
    if (this.userBuffer !== undefined) return this.userBuffer();
    if (this.frames !== undefined) return this.frames.cut(bytes, READ_SIZE);
    return this.native ? NATIVE_READ_SIZE : READ_SIZE;
  };

  #hand(item: Arrival): void {
    if (item instanceof Uint8Array) return this.#handBytes(item);
    this.#finished = true;
    this.#events.changed();
    if (item === 'eof') this.#stream.emitEOF();
    else this.#events.failed(item);
  }

  /** Native code copies them. */
  #handBytes(bytes: Uint8Array): void {
    const { tookLast } = this.#inbox;
    // Native code would try for ever.
    if (this.userBuffer?.() === 0) return this.#hand({ code: 'ENOBUFS', syscall: 'read' });
    this.#stream.readBuffer(bytes);
    if (tookLast) giveBack(bytes);
  }

  #balance(): void {
    const { bytes } = this.#inbox;
    const wanted = this.#paused ? bytes >= HIGH_WATER / 2 : bytes > HIGH_WATER;
    if (wanted === this.#paused) return;
    this.#paused = wanted;
    this.#events.pause(wanted);
  }
}

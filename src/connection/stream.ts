/**
 * One two-way byte stream of a session. Credit bounds what either side may have in flight; a paused reader gives none,
 * so back-pressure reaches the far side's own sockets and files. Values travel between the bytes in their order.
 */
import { ElsewhereError } from '../base/errors.ts';
import { Limit } from '../wire/message.ts';
import type { ByteStream, StreamHandler } from './channel.ts';
import { protocolError } from './protocol-error.ts';
import { surface } from './surface.ts';
import { Window, WindowPool } from './window.ts';

/** What a stream needs of its session. */
export interface StreamPort {
  /** False while bulk must wait. */
  readonly writable: boolean;
  /** Bytes that leave at once. */
  readonly chunk: number;
  readonly windows: WindowPool;
  /** `isLast`: of what was written as one. */
  data(stream: number, bytes: Uint8Array, isLast: boolean): void;
  signal(stream: number, value: unknown): void;
  credit(stream: number, bytes: number): void;
  end(stream: number): void;
  reset(stream: number, reason: string): void;
  /** The stream is over: forget it. */
  forget(stream: number): void;
  /** It has something to send and no credit left. */
  stalled?(): void;
}

/** `write` asks the caller to wait above this many queued bytes. */
const HIGH_WATER = 256 * 1024;
const NOTHING = new Uint8Array(0);

type Outgoing =
  | {
      readonly kind: 'bytes';
      bytes: Uint8Array;
      readonly done: ((error?: Error) => void) | undefined;
    }
  | { readonly kind: 'signal'; readonly value: unknown }
  | { readonly kind: 'end' };

type Incoming =
  | { readonly bytes: Uint8Array }
  | { readonly value: unknown; readonly size: number }
  | 'end';

export class SessionStream implements ByteStream {
  readonly id: number;
  #port: StreamPort;
  #handler: StreamHandler | undefined;
  #queue: Outgoing[] = [];
  #queued = 0;
  #credit: number = Limit.STREAM_WINDOW;
  #needDrain = false;
  #stalled = false;
  #inbox: Incoming[] = [];
  readonly #window: Window;
  #paused = false;
  #ending = false;
  #localEnded = false;
  #endReceived = false;
  #remoteEnded = false;
  #over = false;

  constructor(id: number, port: StreamPort, handler: StreamHandler | undefined) {
    this.id = id;
    this.#port = port;
    this.#handler = handler;
    this.#window = new Window(port.windows);
  }

  get buffered(): number {
    return this.#queued;
  }

  /** Gives a stream that the peer opened its handler. */
  accept(handler: StreamHandler): void {
    this.#handler = handler;
    this.#deliver();
  }

  get accepted(): boolean {
    return this.#handler !== undefined;
  }

  write(bytes: Uint8Array, done?: (error?: Error) => void): boolean {
    if (this.#over || this.#ending) {
      if (done !== undefined)
        process.nextTick(done, new ElsewhereError('ERR_ELSEWHERE_CLOSED', 'the stream has ended'));
      return true;
    }
    this.#queue.push({ kind: 'bytes', bytes, done });
    this.#queued += bytes.length;
    this.pump();
    if (this.#queued < HIGH_WATER) return true;
    this.#needDrain = true;
    return false;
  }

  signal(value: unknown): void {
    if (this.#over || this.#ending) return;
    // At once where nothing is before it, so that a value that cannot travel throws here.
    if (this.#queue.length === 0) return this.#port.signal(this.id, value);
    this.#queue.push({ kind: 'signal', value });
    this.pump();
  }

  end(): void {
    if (this.#over || this.#ending) return;
    this.#ending = true;
    this.#queue.push({ kind: 'end' });
    this.pump();
  }

  reset(reason: string): void {
    if (this.#over) return;
    this.#port.reset(this.id, reason);
    this.#finish(undefined);
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#deliver();
  }

  /** Sends what credit and the lane allow. Returns true when something is left that only needs the lane. */
  pump(): boolean {
    let next = this.#queue[0];
    while (next !== undefined) {
      if (next.kind === 'bytes' && !this.#sendChunk(next)) break;
      if (next.kind === 'signal') this.#sendSignal(next.value);
      if (next.kind === 'end') this.#port.end(this.id);
      this.#queue.shift();
      if (next.kind === 'end') this.#endedLocally();
      next = this.#queue[0];
    }
    this.#tellDrained();
    return this.#queue.length > 0 && this.#credit > 0;
  }

  /** One round of a bytes entry; true when it has left whole. */
  #sendChunk(entry: Outgoing & { kind: 'bytes' }): boolean {
    while (entry.bytes.length > 0) {
      const size = Math.min(entry.bytes.length, this.#credit, this.#port.chunk);
      if (size === 0) this.#stall();
      if (size === 0 || !this.#port.writable) return false;
      this.#port.data(this.id, entry.bytes.subarray(0, size), size === entry.bytes.length);
      this.#credit -= size;
      this.#queued -= size;
      entry.bytes = entry.bytes.subarray(size);
    }
    if (entry.done !== undefined) process.nextTick(entry.done);
    return true;
  }

  /** Counted once until there is credit again. */
  #stall(): void {
    if (!this.#stalled) this.#port.stalled?.();
    this.#stalled = true;
  }

  /** A value that cannot travel is a fault of who sent it, not of the packet that made room for it. */
  #sendSignal(value: unknown): void {
    try {
      this.#port.signal(this.id, value);
    } catch (error) {
      surface(error);
    }
  }

  #tellDrained(): void {
    if (!this.#needDrain || this.#queued >= HIGH_WATER / 2) return;
    this.#needDrain = false;
    process.nextTick(() => {
      if (!this.#over) this.#handler?.drain?.();
    });
  }

  // What the session tells us.

  receiveData(bytes: Uint8Array): void {
    if (!this.#window.allows(bytes.length)) throw protocolError('more than its credit on a stream');
    this.#receive({ bytes }, bytes.length);
  }

  /** `size`: bytes that the value came in, at most. */
  receiveSignal(value: unknown, size: number): void {
    this.#receive({ value, size }, size);
  }

  receiveEnd(): void {
    this.#receive('end', 0);
    this.#endReceived = true;
  }

  receiveCredit(bytes: number): void {
    this.#credit += bytes;
    this.#stalled = false;
    if (this.#credit > Limit.LARGEST_WINDOW) {
      throw new ElsewhereError(
        'ERR_ELSEWHERE_PROTOCOL',
        'the peer broke the protocol: it granted more credit than the largest window',
      );
    }
    this.pump();
  }

  receiveReset(reason: string): void {
    const error = Object.assign(new Error(`the far side reset the stream: ${reason}`), {
      code: reason,
    });
    this.#finish(error);
  }

  /** The session is over. */
  lose(error: Error): void {
    this.#finish(error);
  }

  #receive(item: Incoming, size: number): void {
    if (this.#over) return;
    if (this.#endReceived) {
      throw protocolError('something behind the end of a stream');
    }
    const isSignal = item !== 'end' && 'value' in item;
    const fits = this.#window.came(size, isSignal);
    this.#inbox.push(item);
    if (this.#inbox.length === 1) this.#deliver();
    if (!fits && this.#inbox.length > 0) this.#overflow();
  }

  /** Nothing can be taken back of what streams may send; the one that brought too much pays. */
  #overflow(): void {
    this.#port.reset(this.id, 'ENOBUFS');
    this.#finish(overflowed());
  }

  #deliver(): void {
    let item = this.#inbox[0];
    while (item !== undefined && !this.#paused && this.#handler !== undefined && !this.#over) {
      this.#inbox.shift();
      try {
        this.#deliverOne(item, this.#handler);
      } catch (error) {
        surface(error);
      }
      item = this.#inbox[0];
    }
  }

  #deliverOne(item: Incoming, handler: StreamHandler): void {
    if (item === 'end') {
      this.#remoteEnded = true;
      handler.end();
      this.#closeIfDone();
    } else if ('value' in item) {
      this.#window.take(item.size, true);
      handler.signal?.(item.value);
    } else {
      // Accounting first: a handler that throws must not cost the stream its credit.
      const credit = this.#window.take(item.bytes.length, false);
      if (credit > 0) this.#port.credit(this.id, credit);
      handler.data(item.bytes);
    }
  }

  #endedLocally(): void {
    this.#localEnded = true;
    this.#closeIfDone();
  }

  #closeIfDone(): void {
    if (this.#localEnded && this.#remoteEnded) this.#finish(undefined);
  }

  #finish(error: Error | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.#port.forget(this.id);
    const dropped = this.#queue;
    this.#queue = [];
    this.#queued = 0;
    this.#inbox = [];
    this.#window.close();
    const handler = this.#handler;
    process.nextTick(() => {
      for (const entry of dropped) if (entry.kind === 'bytes') entry.done?.(error ?? resetByUs());
      handler?.closed(error);
    });
  }
}

function resetByUs(): Error {
  return new ElsewhereError('ERR_ELSEWHERE_CLOSED', 'the stream was reset on this side');
}

function overflowed(): ElsewhereError {
  return new ElsewhereError(
    'ERR_ELSEWHERE_LIMIT',
    `the streams of this connection hold more than ${Limit.HELD} bytes that nobody reads: read them, or end some`,
  );
}

/** A stream that was refused before it began, for callers that expect one all the same. */
export function deadStream(id: number, error: Error, handler: StreamHandler): ByteStream {
  process.nextTick(() => handler.closed(error));
  const port: StreamPort = {
    writable: false,
    chunk: 0,
    windows: new WindowPool(),
    data: () => undefined,
    signal: () => undefined,
    credit: () => undefined,
    end: () => undefined,
    reset: () => undefined,
    forget: () => undefined,
  };
  const stream = new SessionStream(id, port, {
    data: () => undefined,
    end: () => undefined,
    closed: () => undefined,
  });
  stream.write(NOTHING);
  return stream;
}

/**
 * The near end of a far child's pipe. Node made a native Pipe for it, which stays closed: its methods are overridden on
 * the object itself, so that `net.Socket` above it, or the IPC channel, reads and writes the far pipe.
 */
import { AsyncResource } from 'node:async_hooks';
import { enqueue } from '../../src/base/event-queue.ts';
import type { ByteStream, StreamHandler } from '../../src/patch.ts';
import type { ChildTarget, PipeReport } from './api.ts';
import { type NativePipe, streamState } from './binding.ts';
import { errnoOf } from './errno.ts';

/** A request of Node's JavaScript that is answered later. */
export interface Request {
  /** Node 26: how a write ended that was done before anyone could listen. */
  readonly writeStatus?: null;
  oncomplete?(this: Request, status: number, handle: object, error: undefined): void;
}

/** The pipe of a child on the far side; undefined where the child could not be started. */
export interface FarEnd {
  readonly child: number;
  readonly index: number;
}

const HIGH_WATER = 256 * 1024;
const READ_SIZE = 64 * 1024;

export class FarPipe implements StreamHandler {
  readonly target: ChildTarget;
  readonly far: FarEnd | undefined;
  readonly #handle: NativePipe;
  readonly #resource: AsyncResource = new AsyncResource('PIPEWRAP', {
    requireManualDestroy: true,
  });
  readonly #nativeClose: (this: NativePipe, done?: () => void) => void;
  #stream: ByteStream | undefined;
  #inbox: Uint8Array[] = [];
  #unread = 0;
  #eof = false;
  #paused = false;
  #reading = false;
  #delivering = false;
  #finished = false;
  #closed = false;
  #broken: string | undefined;
  /** Writes that have not left yet; those with a request are owed an answer. */
  #writes: (Request | undefined)[] = [];
  #shutdown: Request | undefined;
  #referenced = true;
  #holding = false;
  bytesRead = 0;
  bytesWritten = 0;

  constructor(target: ChildTarget, handle: NativePipe, far: FarEnd | undefined) {
    this.target = target;
    this.far = far;
    this.#handle = handle;
    this.#nativeClose = handle.close;
    if (far === undefined) {
      this.#eof = true;
      this.#broken = 'EPIPE';
    }
  }

  // What Node asks of the handle.

  readStart(): number {
    this.#reading = true;
    // Not yet: in this turn the pipe may still be given to another child.
    if (this.#stream === undefined) process.nextTick(() => this.#openIfReading());
    this.#pump();
    this.#settleHold();
    return 0;
  }

  readStop(): number {
    this.#reading = false;
    this.#settleHold();
    return 0;
  }

  write(request: Request, bytes: Uint8Array): number {
    const state = streamState();
    state.streamBaseState[state.kBytesWritten] = bytes.length;
    state.streamBaseState[state.kLastWriteWasAsync] = 0;
    if (this.#closed) return errnoOf('EBADF');
    if (this.#broken !== undefined) return errnoOf(this.#broken);
    this.bytesWritten += bytes.length;
    const room = this.#open().write(bytes, this.#left);
    this.#writes.push(room ? undefined : request);
    state.streamBaseState[state.kLastWriteWasAsync] = room ? 0 : 1;
    this.#settleHold();
    return 0;
  }

  shutdown(request: Request): number {
    if (this.#closed) return errnoOf('ENOTCONN');
    this.#shutdown = request;
    if (this.#broken === undefined) this.#open().signal('shutdown');
    else this.#shutdownDone(0);
    this.#settleHold();
    return 0;
  }

  close(done?: () => void): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#reading = false;
    this.#inbox = [];
    if (this.#stream !== undefined) this.#stream.end();
    else if (this.far !== undefined && this.target.alive)
      this.target.notify('drop', this.far.child, this.far.index);
    this.#nativeClose.call(this.#handle, done);
    const owed = this.#writes.filter((request) => request !== undefined);
    this.#writes = this.#writes.map(() => undefined);
    for (const request of owed) this.#answer(request, errnoOf('ECANCELED'));
    this.#shutdownDone(errnoOf('ECANCELED'));
    this.#settleHold();
  }

  get referenced(): boolean {
    return this.#referenced && !this.#closed;
  }

  set referenced(on: boolean) {
    this.#referenced = on;
    this.#settleHold();
  }

  /** Bytes that Node counts as not written yet. */
  get writeQueueSize(): number {
    return this.#writes.length === 0 ? 0 : (this.#stream?.buffered ?? 0);
  }

  /**
   * For another far child, which gets an end of its own. Undefined if something may have been read or written here already.
   * Node stops reading such a pipe; whoever reads or writes it later shares it with that child.
   */
  give(): FarEnd | undefined {
    return this.#stream !== undefined || this.#closed ? undefined : this.far;
  }

  #openIfReading(): void {
    if (this.#reading && !this.#closed && this.far !== undefined) this.#open();
  }

  #open(): ByteStream {
    if (this.#stream === undefined) {
      const { child, index } = this.far as FarEnd;
      this.#stream = this.target.open('pipe', [child, index], this);
    }
    return this.#stream;
  }

  // What the far side tells.

  data(bytes: Uint8Array): void {
    if (this.#closed || bytes.length === 0) return;
    this.#inbox.push(bytes);
    this.#unread += bytes.length;
    this.#pump();
    this.#balance();
  }

  signal(value: unknown): void {
    const report = value as PipeReport;
    if (report === 'eof') this.#ended();
    else if (report === 'shutdown') this.#shutdownDone(0);
    else this.#fail(report.broken);
  }

  end(): void {
    this.#ended();
    this.#shutdownDone(0);
  }

  /** A lost connection looks like a child that closed its pipes: its exit, by SIGHUP, tells the rest. */
  closed(_error: Error | undefined): void {
    this.#broken ??= 'EPIPE';
    this.#ended();
    this.#shutdownDone(0);
  }

  #ended(): void {
    this.#eof = true;
    this.#pump();
  }

  /** A write that was taken here could not be made there. */
  #fail(code: string): void {
    if (this.#broken !== undefined || this.#closed) return;
    this.#broken = code;
    const owed = this.#writes.find((request) => request !== undefined);
    if (owed !== undefined) {
      this.#writes[this.#writes.indexOf(owed)] = undefined;
      this.#answer(owed, errnoOf(code));
    } else {
      enqueue(() => this.#destroyOwner(code));
    }
    this.#shutdownDone(0);
  }

  #destroyOwner(code: string): void {
    const owner = ownerOf(this.#handle);
    if (this.#closed || owner === undefined) return;
    const error = Object.assign(new Error(`write ${code}`), {
      errno: errnoOf(code),
      code,
      syscall: 'write',
    });
    this.#resource.runInAsyncScope(() => owner.destroy(error));
  }

  // One event at a time, as native reads come.

  #pump(): void {
    if (this.#delivering || !this.#reading || this.#finished) return;
    if (this.#inbox.length === 0 && !this.#eof) return;
    this.#delivering = true;
    enqueue(this.#deliver);
  }

  readonly #deliver = (): void => {
    this.#delivering = false;
    if (!this.#reading || this.#finished) return;
    const bytes = this.#take();
    try {
      if (bytes !== undefined) this.#hand(bytes.buffer, bytes.length, bytes.byteOffset);
      else if (this.#eof) this.#handEnd();
    } finally {
      this.#balance();
      this.#pump();
    }
  };

  /** At most as much as libuv reads at a time. */
  #take(): Uint8Array | undefined {
    const first = this.#inbox[0];
    if (first === undefined) return undefined;
    const bytes = first.subarray(0, READ_SIZE);
    if (bytes.length === first.length) this.#inbox.shift();
    else this.#inbox[0] = first.subarray(READ_SIZE);
    this.#unread -= bytes.length;
    this.bytesRead += bytes.length;
    return bytes;
  }

  #handEnd(): void {
    this.#finished = true;
    this.#settleHold();
    this.#hand(undefined, errnoOf('EOF'), 0);
  }

  #hand(buffer: ArrayBufferLike | undefined, count: number, offset: number): void {
    const state = streamState();
    const { onread } = this.#handle;
    if (onread === undefined) return;
    this.#resource.runInAsyncScope(() => {
      state.streamBaseState[state.kReadBytesOrError] = count;
      state.streamBaseState[state.kArrayBufferOffset] = offset;
      onread.call(this.#handle, buffer);
    });
  }

  #balance(): void {
    const wanted = this.#paused ? this.#unread >= HIGH_WATER / 2 : this.#unread > HIGH_WATER;
    if (wanted === this.#paused) return;
    this.#paused = wanted;
    if (wanted) this.#stream?.pause();
    else this.#stream?.resume();
  }

  /** Completions come in order, so one function serves all writes. */
  readonly #left = (error?: Error): void => {
    const request = this.#writes.shift();
    if (request !== undefined) this.#answer(request, error === undefined ? 0 : errnoOf('EPIPE'));
    this.#settleHold();
  };

  #shutdownDone(status: number): void {
    const request = this.#shutdown;
    this.#shutdown = undefined;
    if (request !== undefined) this.#answer(request, status);
    this.#settleHold();
  }

  #answer(request: Request, status: number): void {
    enqueue(() =>
      this.#resource.runInAsyncScope(() => request.oncomplete?.(status, this.#handle, undefined)),
    );
  }

  /** As libuv: what reads or has something to write keeps the process alive. */
  #settleHold(): void {
    const reads = this.#reading && !this.#finished;
    const busy = reads || this.#writes.length > 0 || this.#shutdown !== undefined;
    const wanted = this.referenced && busy;
    if (wanted === this.#holding) return;
    this.#holding = wanted;
    if (wanted) this.target.hold();
    else this.target.release();
  }
}

interface Owner {
  destroy(error: Error): void;
}

/** `net.Socket` ties itself to its handle by a private symbol. */
function ownerOf(handle: object): Owner | undefined {
  const symbol = Object.getOwnPropertySymbols(handle).find(
    ({ description }) => description === 'owner_symbol',
  );
  return symbol === undefined ? undefined : (Reflect.get(handle, symbol) as Owner | undefined);
}

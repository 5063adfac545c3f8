/** What stands under Node's own `FileHandle` class for a far file: its descriptor, and how it is closed. */
import { AsyncResource } from 'node:async_hooks';
import fs from 'node:fs';
import { nodeBinding } from '../../src/base/node-binding.ts';

type Close = (descriptor: number) => Promise<void>;

/** Handles that the program lost without closing them. */
const lost = new FinalizationRegistry<{ descriptor: number; close: Close }>(
  ({ descriptor, close }) => {
    process.emitWarning(`Closing file descriptor ${descriptor} on garbage collection`);
    close(descriptor).catch(() => undefined);
  },
);

/** How Node 20 is told what its handle has read: a number in a shared array, beside the bytes. */
interface StreamState {
  readonly streamBaseState: Int32Array;
  readonly kReadBytesOrError: number;
}
const END = -4095;
const PIECE = 64 * 1024;

/** Node's class calls these, and reads `fd`. */
export class HandleBase {
  readonly fd: number;
  /** Node 20 sets it when the handle is made into a web stream. */
  onread: ((bytes: ArrayBuffer | undefined) => void) | undefined = undefined;
  #wanted = false;
  #reading = false;
  readonly #resource = new AsyncResource('FILEHANDLE');
  readonly #close: Close;
  /** An own function makes structured clone refuse: the descriptor means nothing in another thread. */
  readonly uncloneable = (): void => undefined;

  constructor(descriptor: number, close: Close) {
    this.fd = descriptor;
    this.#close = close;
    lost.register(this, { descriptor, close }, this);
  }

  getAsyncId(): number {
    return this.#resource.asyncId();
  }

  close(): Promise<void> {
    lost.unregister(this);
    return this.#close(this.fd);
  }

  /** Hands the descriptor over: it is no longer closed with the handle. */
  releaseFD(): number {
    lost.unregister(this);
    return this.fd;
  }

  readStart(): number {
    this.#wanted = true;
    this.#read();
    return 0;
  }

  readStop(): number {
    this.#wanted = false;
    return 0;
  }

  #read(): void {
    if (this.#reading || !this.#wanted) return;
    this.#reading = true;
    fs.read(this.fd, new Uint8Array(PIECE), 0, PIECE, null, (error, count, bytes) => {
      this.#reading = false;
      this.#tell(error === null ? count || END : (error.errno ?? END), bytes);
      this.#read();
    });
  }

  #tell(count: number, bytes: Uint8Array): void {
    if (count < 0) this.#wanted = false;
    const state = nodeBinding<StreamState>('stream_wrap');
    if (state !== undefined) state.streamBaseState[state.kReadBytesOrError] = count;
    this.onread?.(count > 0 ? (bytes.buffer.slice(0, count) as ArrayBuffer) : undefined);
  }
}

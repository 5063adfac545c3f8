/**
 * The writes of a socket on their way to the transport. A write that finds room counts as done at once, as one does
 * that the kernel takes (libuv's try_write); the others complete when their bytes have left.
 */
import type { ByteStream } from '../../src/patch.ts';

interface Write {
  /** Node's request, when its completion is still owed. */
  request: object | undefined;
}

/** Buffers of one write up to this size travel as one. */
const JOIN_LIMIT = 64 * 1024;

export class Outbox {
  readonly #complete: (request: object, error: Error | undefined) => void;
  readonly #emptied: () => void;
  #writes: Write[] = [];
  #owed = 0;

  constructor(complete: (request: object, error: Error | undefined) => void, emptied: () => void) {
    this.#complete = complete;
    this.#emptied = emptied;
  }

  /** True when nothing is on its way. */
  get empty(): boolean {
    return this.#writes.length === 0;
  }

  /** How many writes Node still waits for. */
  get owed(): number {
    return this.#owed;
  }

  /** True when the stream had room, so that nothing is owed. */
  write(stream: ByteStream, request: object, buffers: readonly Uint8Array[]): boolean {
    const pieces = joined(buffers);
    const last = pieces.pop();
    if (last === undefined || (pieces.length === 0 && last.length === 0)) return true;
    for (const piece of pieces) stream.write(piece);
    const write: Write = { request: undefined };
    this.#writes.push(write);
    // Completions come in order, so one function serves all writes.
    const room = stream.write(last, this.#left);
    if (room) return true;
    write.request = request;
    this.#owed++;
    return false;
  }

  /** Gives up all that is owed; what was accepted still leaves. */
  forsake(): object[] {
    const requests: object[] = [];
    for (const write of this.#writes) {
      if (write.request !== undefined) requests.push(write.request);
      write.request = undefined;
    }
    this.#owed = 0;
    return requests;
  }

  readonly #left = (error?: Error): void => {
    const write = this.#writes.shift();
    if (write?.request !== undefined) {
      this.#owed--;
      this.#complete(write.request, error);
    }
    if (this.#writes.length === 0) this.#emptied();
  };
}

function joined(buffers: readonly Uint8Array[]): Uint8Array[] {
  if (buffers.length < 2) return [...buffers];
  let total = 0;
  for (const buffer of buffers) total += buffer.length;
  return total <= JOIN_LIMIT ? [Buffer.concat(buffers)] : [...buffers];
}

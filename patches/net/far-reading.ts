/**
 * Where the bytes of a far socket are read to. A socket that brings little shares memory with all others and its bytes are
 * copied; one that fills it gets blocks of its own, which leave as they are and come back when the near side has them.
 */
import type { ReadTarget } from '../../src/base/direct-reading.ts';
import { lendRoomUntilSent, sent } from '../../src/base/spare-memory.ts';

const BLOCK = 256 * 1024;
/** Less in a block shows that the socket brings little again. */
const LITTLE = 16 * 1024;

const shared = Buffer.allocUnsafeSlow(64 * 1024);

export class FarReading implements ReadTarget {
  readonly #forward: (bytes: Uint8Array) => void;
  #block: Buffer | undefined;
  #brings = 0;

  constructor(forward: (bytes: Uint8Array) => void) {
    this.#forward = forward;
  }

  room(): Uint8Array {
    if (this.#brings < shared.length) return shared;
    this.#block ??= lendRoomUntilSent(BLOCK);
    return this.#block;
  }

  filled(bytes: number, room: Uint8Array): void {
    const block = room === this.#block ? this.#block : undefined;
    if (bytes < LITTLE || bytes === room.length) this.#brings = bytes;
    if (block !== undefined && bytes >= BLOCK / 2) {
      this.#block = undefined;
      return this.#forward(block.subarray(0, bytes));
    }
    const copy = lendRoomUntilSent(bytes);
    copy.set(room.subarray(0, bytes));
    if (block !== undefined && this.#brings < shared.length) this.#letGo(block);
    this.#forward(copy);
  }

  #letGo(block: Buffer): void {
    this.#block = undefined;
    sent(block);
  }
}

/**
 * A socket that is connected with `onread` hands its bytes on in memory that is used again. As a stream it would have
 * fresh memory for every chunk, whose first touch costs more than all else that is done with it.
 */
import type { OnReadOpts, Socket } from 'node:net';
import { giveBack, lendCopy } from '../base/spare-memory.ts';

/** Every socket reads into it, one after another. */
let room: Buffer | undefined;
const ROOM = 64 * 1024;

const pourings = new WeakMap<Socket, Pouring>();

export class Pouring {
  readonly onread: OnReadOpts;
  #from: Socket | undefined;
  #to: Socket | undefined;

  constructor() {
    room ??= Buffer.allocUnsafeSlow(ROOM);
    const callback = (size: number, bytes: Uint8Array): boolean =>
      this.#hand(lendCopy(bytes.subarray(0, size)));
    this.onread = { buffer: room, callback };
  }

  /** `from` was made with `onread`. */
  of(from: Socket): Socket {
    this.#from = from;
    pourings.set(from, this);
    return from;
  }

  into(to: Socket): void {
    const from = this.#from;
    this.#to = to;
    to.on('drain', () => from?.resume());
    from?.once('end', () => to.end());
  }

  #hand(bytes: Buffer): boolean {
    if (this.#to === undefined) throw new TypeError('bytes came before anybody took them');
    if (this.#to.destroyed) return false;
    // After a failure the system may still be at them.
    return this.#to.write(bytes, (error) => {
      if (error == null) giveBack(bytes);
    });
  }
}

/** From now on all that comes from `from` goes to `to`. */
export function pour(from: Socket, to: Socket): void {
  const pouring = pourings.get(from);
  if (pouring === undefined) from.pipe(to);
  else pouring.into(to);
}

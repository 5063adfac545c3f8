/** Counts the sequenced packets that arrive, and tells the peer now and then, so that it need not keep them. */

/** A receipt leaves after this many received bytes, or this many milliseconds after the first of them. */
const MAX_BYTES = 64 * 1024;
const MAX_DELAY = 20;

export class Receipts {
  readonly #tell: (body: Uint8Array) => void;
  #count = 0;
  #told = 0;
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;

  /** `tell` sends the body of an ACK packet. */
  constructor(tell: (body: Uint8Array) => void) {
    this.#tell = tell;
  }

  /** Packets received in all. */
  get count(): number {
    return this.#count;
  }

  /** One more packet has come. Counted before it is dealt with: a reply may already tell of it. */
  add(bytes: number): void {
    this.#count++;
    this.#bytes += bytes;
  }

  /** The packet was dealt with. */
  settle(): void {
    if (this.#bytes >= MAX_BYTES) this.#send();
    else this.#timer ??= setTimeout(this.#send, MAX_DELAY).unref();
  }

  readonly #send = (): void => {
    const due = this.#told !== this.#count;
    this.told();
    if (!due) return;
    const body = Buffer.allocUnsafe(8);
    body.writeDoubleLE(this.#count, 0);
    this.#tell(body);
  };

  /** The peer knows the count, from a handshake; or nobody is there to be told. */
  told(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#told = this.#count;
    this.#bytes = 0;
  }
}

/** The count in the body of an ACK packet. */
export function readReceipt(body: Uint8Array): number {
  if (body.length !== 8) return Number.NaN;
  return Buffer.from(body.buffer, body.byteOffset, 8).readDoubleLE(0);
}

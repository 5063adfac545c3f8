/**
 * What has arrived for a socket and was not read yet: bytes, then perhaps the end or a failure. Hands out slices no
 * larger than the reader can take in one native call.
 */

/** The far socket failed; nothing follows. */
export interface Failure {
  readonly code: string;
  readonly syscall: string;
  readonly cause?: unknown;
  /** Of a connect that the system refused at once: where it would have come from. */
  readonly local?: string;
}

export type Arrival = Uint8Array | 'eof' | Failure;

export class Inbox {
  #items: Arrival[] = [];
  #bytes = 0;
  /** What was taken last is the last of what came as one. */
  tookLast = true;

  get empty(): boolean {
    return this.#items.length === 0;
  }

  get bytes(): number {
    return this.#bytes;
  }

  push(item: Arrival): void {
    this.#items.push(item);
    if (item instanceof Uint8Array) this.#bytes += item.length;
  }

  /** The next item, bytes cut to as many as `cut` says. */
  take(cut: (bytes: Uint8Array) => number): Arrival | undefined {
    const item = this.#items[0];
    if (!(item instanceof Uint8Array)) return this.#items.shift();
    const limit = cut(item);
    this.tookLast = item.length <= limit;
    if (this.tookLast) this.#items.shift();
    else this.#items[0] = item.subarray(limit);
    const slice = this.tookLast ? item : item.subarray(0, limit);
    this.#bytes -= slice.length;
    return slice;
  }

  clear(): void {
    this.#items = [];
    this.#bytes = 0;
  }
}

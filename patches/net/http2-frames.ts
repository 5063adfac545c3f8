/**
 * Where the bytes of an HTTP/2 connection may be cut. Node's native half calls back once for each frame, and lets ticks
 * and microtasks run after each. Bytes that come from JavaScript are handed on in one native call, in which they wait
 * until its end; so a stream's end and its reset, in one piece, would reach a program in the wrong order. One frame at a
 * time they come as they should.
 */

const HEADER_SIZE = 9;
/** What a client says before its first frame. */
export const PREFACE: Uint8Array = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

/**
 * DATA, PRIORITY, SETTINGS, PING, WINDOW_UPDATE: a run of one kind stays together, since the limits of floods and windows
 * count what one read brings.
 */
const IN_RUNS: ReadonlySet<number> = new Set([0, 2, 4, 6, 8]);

export class Http2Frames {
  /** Bytes of the preface or of a frame that are still to come. */
  #rest: number;
  /** The frame's header, as far as it has come. */
  readonly #header: Buffer = Buffer.alloc(HEADER_SIZE);
  #headerLength = 0;

  constructor(fromClient: boolean) {
    this.#rest = fromClient ? PREFACE.length : 0;
  }

  /** How many of these bytes, the next to be read and not none, go on in one call. */
  cut(bytes: Uint8Array, limit: number): number {
    const end = Math.min(bytes.length, limit);
    let at = 0;
    do at = this.#frame(bytes, at, end);
    while (at < end && this.#continues(bytes, at));
    return at;
  }

  /** Behind this frame, or as much of it as there is. */
  #frame(bytes: Uint8Array, from: number, end: number): number {
    let at = from;
    if (this.#rest === 0) {
      const taken = Math.min(HEADER_SIZE - this.#headerLength, end - at);
      this.#header.set(bytes.subarray(at, at + taken), this.#headerLength);
      this.#headerLength += taken;
      at += taken;
      if (this.#headerLength < HEADER_SIZE) return at;
      this.#headerLength = 0;
      this.#rest = this.#header.readUIntBE(0, 3);
    }
    const taken = Math.min(this.#rest, end - at);
    this.#rest -= taken;
    return at + taken;
  }

  /** Whether a whole frame lies behind us, and the next is of a run. */
  #continues(bytes: Uint8Array, at: number): boolean {
    const type = this.#header[3];
    return this.#rest === 0 && type !== undefined && IN_RUNS.has(type) && bytes[at + 3] === type;
  }
}

/** True for the first bytes that a client of HTTP/2 writes. */
export function beginsWithPreface(bytes: Uint8Array | undefined): boolean {
  return bytes !== undefined && Buffer.compare(bytes.subarray(0, PREFACE.length), PREFACE) === 0;
}

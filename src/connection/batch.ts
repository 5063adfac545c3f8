/**
 * Gathers the frames of one tick into one packet: by far the largest part of a call's cost is the packet that carries it.
 * It does not know what frames mean.
 */
import { joinFrames } from '../wire/codec.ts';
import { MAX_BATCH } from '../wire/guard.ts';

const MAX_FRAMES = 256;
const BURST_TURNS = 2;

export class Batch {
  readonly #send: (body: Uint8Array) => void;
  #frames: Uint8Array[] = [];
  #bytes = 0;
  #scheduled = false;
  #held = false;
  /** Turns of the event loop in which frames leave together. */
  #burst = 0;

  /** `send` takes the body of an RPC packet. */
  constructor(send: (body: Uint8Array) => void) {
    this.#send = send;
  }

  get isEmpty(): boolean {
    return this.#frames.length === 0;
  }

  /** Takes an encoded frame; it leaves with all others of this tick. */
  add(frame: Uint8Array): void {
    if (this.#frames.length >= MAX_FRAMES || this.#bytes + frame.length > MAX_BATCH) this.flush();
    this.#frames.push(frame);
    this.#bytes += frame.length;
    if (this.#scheduled || this.#held) return;
    this.#scheduled = true;
    if (this.#burst === 0) process.nextTick(this.#endTick);
  }

  /** Between `hold` and `release` frames wait, such as the answers to a packet that is being dealt with. */
  hold(): void {
    this.#held = true;
  }

  release(): void {
    this.#held = false;
    this.flush();
  }

  readonly #endTick = (): void => {
    this.#scheduled = false;
    this.flush();
  };

  /**
   * Several answers came at once, and are handed out one by one: from now on what is asked next leaves once in each turn
   * of the event loop, until two turns brought nothing.
   */
  startBurst(): void {
    if (this.#burst === 0) setImmediate(this.#endTurn);
    this.#burst = BURST_TURNS;
  }

  readonly #endTurn = (): void => {
    if (this.#scheduled) this.#burst = BURST_TURNS;
    else this.#burst--;
    this.#endTick();
    if (this.#burst > 0) setImmediate(this.#endTurn);
  };

  /** Sends the frames gathered so far. */
  flush(): void {
    if (this.#frames.length === 0) return;
    const body = joinFrames(this.#frames, this.#bytes);
    this.clear();
    this.#send(body);
  }

  clear(): void {
    this.#frames = [];
    this.#bytes = 0;
  }
}

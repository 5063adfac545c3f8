/**
 * The sequenced packets of one direction that the peer has not acknowledged, in their order. After a link was lost they
 * are sent again from the first that did not arrive, so nothing is lost and nothing comes twice. Packets have no number
 * on the wire: both sides count them.
 */
import { ElsewhereError } from '../base/errors.ts';
import { sent } from '../base/spare-memory.ts';

export interface Packet {
  readonly kind: number;
  readonly head: Uint8Array;
  readonly tail: Uint8Array | undefined;
  /** What was sent in this packet and those before it, all of it. */
  readonly whole: Uint8Array | undefined;
}

/** Gaps at the front are only closed when they are worth the copying. */
const COMPACT = 1024;

export class ReplayRing {
  #packets: (Packet | undefined)[] = [];
  #start = 0;
  #freed = 0;
  #bytes = 0;

  /** How many packets were pushed in all: the number of the newest. */
  get pushed(): number {
    return this.#freed + this.#packets.length - this.#start;
  }

  /** How many of them the peer is known to have. */
  get freed(): number {
    return this.#freed;
  }

  /** Bytes that are kept. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Keeps the packet by reference: its bytes must not change while it is here. */
  push(kind: number, head: Uint8Array, tail: Uint8Array | undefined, whole?: Uint8Array): void {
    this.#packets.push({ kind, head, tail, whole });
    this.#bytes += head.length + (tail?.length ?? 0);
  }

  /** Throws ERR_ELSEWHERE_PROTOCOL for a count of received packets that cannot be true. */
  check(count: number): void {
    if (!Number.isSafeInteger(count) || count < this.#freed || count > this.pushed)
      throw new ElsewhereError(
        'ERR_ELSEWHERE_PROTOCOL',
        'the peer broke the protocol: it acknowledged packets that were never sent, or took an acknowledgement back',
      );
  }

  /** The peer has the first `count` packets. Throws as `check` does. */
  free(count: number): void {
    this.check(count);
    for (; this.#freed < count; this.#freed++) {
      const { head, tail, whole } = this.#packets[this.#start] as Packet;
      if (whole !== undefined) sent(whole);
      this.#bytes -= head.length + (tail?.length ?? 0);
      this.#packets[this.#start++] = undefined;
    }
    if (this.#start < COMPACT && this.#start < this.#packets.length) return;
    this.#packets = this.#packets.slice(this.#start);
    this.#start = 0;
  }

  /** What the peer does not have yet. */
  *[Symbol.iterator](): Generator<Packet> {
    for (let at = this.#start; at < this.#packets.length; at++) yield this.#packets[at] as Packet;
  }

  clear(): void {
    this.#freed = this.pushed;
    this.#packets = [];
    this.#start = 0;
    this.#bytes = 0;
  }
}

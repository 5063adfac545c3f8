/**
 * A transport over something that only carries messages: a message port, a channel of a multiplexed pipe. The receiver
 * grants the sender bytes as its owner takes them, so that a reader who pauses holds up this link and no other.
 */
import { ElsewhereError } from '../base/errors.ts';
import { Kind, LAST_KIND, Limit } from '../wire/message.ts';
import { Mailbox } from './mailbox.ts';
import type { Transport, TransportEvents } from './transport.ts';

/** Bytes that may be under way before the peer grants more; one packet may go beyond it. */
export const WINDOW: number = 1 << 20;
/** What a packet costs besides its body, so that empty ones are bounded too. */
export const PACKET_COST = 16;
const CLOSE_FUSE = 2000;
const NOTHING = new Uint8Array(0);

/** What carries the messages. */
export interface MessageWire {
  packet(kind: number, head: Uint8Array, tail: Uint8Array | undefined): void;
  credit(bytes: number): void;
  /** Nothing more comes from this side. */
  end(): void;
  /** This side is gone. */
  reset(error: Error | undefined): void;
  /** After the last message of either side. */
  release(): void;
  signsOfLife?(interval: number): void;
  ref(): void;
  unref(): void;
}

interface Packet {
  readonly kind: number;
  readonly body: Uint8Array;
}

export class CreditedTransport implements Transport {
  readonly description: string;
  readonly remote = undefined;
  readonly #wire: MessageWire;
  readonly #mailbox = new Mailbox((full) => this.#stall(full));
  readonly #queue: Packet[] = [];
  readonly #inbox: Packet[] = [];
  #queued = 0;
  #underWay = 0;
  #taken = 0;
  #limit: number = Limit.HANDSHAKE;
  #paused = false;
  #stalled = false;
  #needDrain = false;
  #ending = false;
  #ended = false;
  #peerEnded = false;
  #closed = false;

  constructor(wire: MessageWire, description: string) {
    this.#wire = wire;
    this.description = description;
  }

  get buffered(): number {
    return this.#queued;
  }

  get events(): TransportEvents | undefined {
    return this.#mailbox.events;
  }

  set events(events: TransportEvents | undefined) {
    this.#mailbox.events = events;
  }

  send(kind: number, head: Uint8Array, tail?: Uint8Array): boolean {
    if (this.#closed || this.#ending) return true;
    const length = head.length + (tail?.length ?? 0);
    if (this.#queue.length === 0 && this.#underWay < WINDOW) {
      this.#underWay += length + PACKET_COST;
      this.#wire.packet(kind, head, tail);
      return true;
    }
    this.#queue.push({ kind, body: tail === undefined ? head : Buffer.concat([head, tail]) });
    this.#queued += length;
    this.#needDrain = true;
    return false;
  }

  /** The peer has taken so many bytes. */
  granted(bytes: number): void {
    this.#underWay -= bytes;
    while (this.#underWay < WINDOW) {
      const packet = this.#queue.shift();
      if (packet === undefined) break;
      this.#queued -= packet.body.length;
      this.#underWay += packet.body.length + PACKET_COST;
      this.#wire.packet(packet.kind, packet.body, undefined);
    }
    if (this.#queue.length > 0) return;
    if (this.#ending) this.#end();
    else if (this.#needDrain) {
      this.#needDrain = false;
      this.#mailbox.drain();
    }
  }

  /** `body` is the receiver's own. */
  arrived(kind: number, body: Uint8Array): void {
    if (this.#closed) return;
    this.#inbox.push({ kind, body });
    this.#read();
  }

  #read(): void {
    while (!this.#paused && !this.#stalled && !this.#closed) {
      const packet = this.#inbox.shift();
      if (packet === undefined) break;
      this.#take(packet);
    }
    if (this.#peerEnded && this.#inbox.length === 0) this.close();
  }

  #take({ kind, body }: Packet): void {
    if (kind < 1 || kind > LAST_KIND)
      return this.#refuse(`the peer sent a packet of unknown kind ${kind}`);
    if (body.length > this.#limit)
      return this.#refuse(
        `the peer sent a packet of ${body.length} bytes; at most ${this.#limit} are allowed`,
      );
    this.#taken += body.length + PACKET_COST;
    if (this.#taken >= WINDOW / 4) {
      this.#wire.credit(this.#taken);
      this.#taken = 0;
    }
    this.#mailbox.packet(kind, body, true);
  }

  #refuse(why: string): void {
    this.destroy(new ElsewhereError('ERR_ELSEWHERE_PROTOCOL', why));
  }

  /** The peer sends no more. */
  peerEnded(): void {
    this.#peerEnded = true;
    if (this.#ended) return this.#finish(undefined);
    this.#read();
  }

  /** The peer, or what carries the messages, is gone. What has come before is still told. */
  peerGone(error: Error | undefined): void {
    if (this.#closed) return;
    this.#paused = false;
    this.#stalled = false;
    for (const packet of this.#inbox.splice(0)) if (!this.#closed) this.#take(packet);
    this.#finish(error);
  }

  setLimit(bytes: number): void {
    this.#limit = bytes;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    process.nextTick(() => this.#read());
  }

  #stall(full: boolean): void {
    this.#stalled = full;
    if (!full) process.nextTick(() => this.#read());
  }

  close(): void {
    if (this.#ending || this.#closed) return;
    this.#ending = true;
    setTimeout(() => this.destroy(), CLOSE_FUSE).unref();
    if (this.#queue.length === 0) this.#end();
    // What still comes is told, so that the peer's own end can come.
    this.resume();
  }

  #end(): void {
    if (this.#ended || this.#closed) return;
    this.#ended = true;
    this.#wire.end();
    if (this.#peerEnded) this.#finish(undefined);
  }

  destroy(error?: Error): void {
    if (this.#closed) return;
    this.#mailbox.discard();
    this.#wire.reset(error);
    this.#finish(error);
  }

  #finish(error: Error | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#queue.length = 0;
    this.#queued = 0;
    // Not before the messages that were posted have left, and never inside the owner's call.
    setImmediate(() => {
      this.#wire.release();
      this.#mailbox.close(error);
    });
  }

  signsOfLife(interval: number): void {
    this.#wire.signsOfLife?.(interval);
  }

  /** The peer has said no more than that it lives. */
  alive(): void {
    if (!this.#paused && !this.#closed) this.#mailbox.packet(Kind.ALIVE, NOTHING, true);
  }

  ref(): void {
    this.#wire.ref();
  }

  unref(): void {
    this.#wire.unref();
  }
}

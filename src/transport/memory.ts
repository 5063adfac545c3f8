/** A pair of transports in one process. Packets are copied and delivered later, in order, as a socket would. */
import { runDetached } from '../base/context.ts';
import { ElsewhereError } from '../base/errors.ts';
import { LAST_KIND, Limit } from '../wire/message.ts';
import { Mailbox } from './mailbox.ts';
import type { Transport, TransportEvents } from './transport.ts';

/** What may wait for a peer that does not read, before `send` asks to wait. */
const HIGH_WATER = 1 << 20;

export function memoryPair(): [Transport, Transport] {
  const near = new MemoryTransport();
  const far = new MemoryTransport();
  near.connect(far);
  far.connect(near);
  return [near, far];
}

type Packet = { readonly kind: number; readonly body: Uint8Array };

class MemoryTransport implements Transport {
  readonly description = 'memory';
  readonly remote = undefined;
  readonly #mailbox = new Mailbox((full) => this.#stall(full));
  /** Packets on their way to the peer. */
  readonly #queue: Packet[] = [];
  #peer!: MemoryTransport;
  #buffered = 0;
  #limit: number = Limit.HANDSHAKE;
  #paused = false;
  #stalled = false;
  #scheduled = false;
  #needDrain = false;
  #closed = false;
  #ending = false;
  #timer: NodeJS.Immediate | undefined;
  #refed = true;

  connect(peer: MemoryTransport): void {
    this.#peer = peer;
  }

  get buffered(): number {
    return this.#buffered;
  }

  get events(): TransportEvents | undefined {
    return this.#mailbox.events;
  }

  set events(events: TransportEvents | undefined) {
    this.#mailbox.events = events;
  }

  send(kind: number, head: Uint8Array, tail?: Uint8Array): boolean {
    if (this.#closed || this.#ending) return true;
    const body = tail === undefined ? Buffer.from(head) : Buffer.concat([head, tail]);
    this.#queue.push({ kind, body });
    this.#buffered += body.length;
    this.#schedule();
    if (this.#buffered < HIGH_WATER) return true;
    this.#needDrain = true;
    return false;
  }

  /** In the context of no scope: whoever happened to write must not be who seems to receive. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#timer = runDetached(() => setImmediate(() => this.#flush()));
    if (!this.#refed) this.#timer.unref();
  }

  #flush(): void {
    this.#scheduled = false;
    const peer = this.#peer;
    while (this.#queue.length > 0 && peer.readable && !this.#closed) {
      const { kind, body } = this.#queue.shift() as Packet;
      this.#buffered -= body.length;
      peer.deliver(kind, body);
    }
    if (this.#needDrain && this.#buffered === 0 && !this.#closed) {
      this.#needDrain = false;
      this.#mailbox.drain();
    }
    if (this.#ending && this.#queue.length === 0) this.#end();
  }

  get readable(): boolean {
    return !this.#paused && !this.#stalled;
  }

  deliver(kind: number, body: Uint8Array): void {
    if (this.#closed) return;
    if (kind < 1 || kind > LAST_KIND)
      return this.#refuse(`the peer sent a packet of unknown kind ${kind}`);
    if (body.length > this.#limit)
      return this.#refuse(
        `the peer sent a packet of ${body.length} bytes; at most ${this.#limit} are allowed`,
      );
    this.#mailbox.packet(kind, body, true);
  }

  #refuse(why: string): void {
    this.destroy(new ElsewhereError('ERR_ELSEWHERE_PROTOCOL', why));
  }

  setLimit(bytes: number): void {
    this.#limit = bytes;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#peer.#schedule();
  }

  #stall(full: boolean): void {
    this.#stalled = full;
    if (!full) this.#peer.#schedule();
  }

  close(): void {
    if (this.#ending || this.#closed) return;
    this.#ending = true;
    this.#schedule();
    // A peer that does not read must not hold us for ever.
    setTimeout(() => this.destroy(), 2000).unref();
  }

  destroy(error?: Error): void {
    this.#mailbox.discard();
    this.#end(error);
  }

  #end(error?: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#queue.length = 0;
    this.#buffered = 0;
    runDetached(() => setImmediate(() => this.#mailbox.close(error)));
    runDetached(() => setImmediate(() => this.#peer.#end()));
  }

  ref(): void {
    this.#refed = true;
    this.#timer?.ref();
  }

  unref(): void {
    this.#refed = false;
  }
}

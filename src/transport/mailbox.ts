/** Keeps what a transport has to tell until somebody owns it, and sees to it that `close` is told once and last. */
import { Limit } from '../wire/message.ts';
import type { TransportEvents } from './transport.ts';

type Kept = { readonly kind: number; readonly body: Uint8Array };

/** An unowned transport keeps at most this many bytes; the handshake needs far less. */
const MAX_KEPT = 4 * Limit.HANDSHAKE;
/** What keeping costs besides the body, so that empty packets are bounded too. */
const KEPT_OVERHEAD = 64;

export class Mailbox {
  #events: TransportEvents | undefined;
  #kept: Kept[] = [];
  #keptBytes = 0;
  #closing: { readonly error: Error | undefined } | undefined;
  #told = false;
  #discarding = false;
  readonly #full: (full: boolean) => void;

  /** `full` is told to stop and start reading when nobody takes the packets. */
  constructor(full: (full: boolean) => void) {
    this.#full = full;
  }

  get events(): TransportEvents | undefined {
    return this.#events;
  }

  set events(events: TransportEvents | undefined) {
    this.#events = events;
    // Never inside the setter: the owner may not be ready yet.
    if (events !== undefined && (this.#kept.length > 0 || this.#closing !== undefined))
      process.nextTick(() => this.#deliver());
  }

  packet(kind: number, body: Uint8Array, owned: boolean): void {
    if (this.#discarding) return;
    if (this.#events !== undefined && this.#kept.length === 0)
      return this.#events.packet(kind, body, owned);
    this.#kept.push({ kind, body: owned ? body : Buffer.from(body) });
    this.#keptBytes += body.length + KEPT_OVERHEAD;
    if (this.#keptBytes > MAX_KEPT) this.#full(true);
  }

  /** From now on only `close` is told: what was read in the same piece as the last packet must not follow its end. */
  discard(): void {
    this.#discarding = true;
    this.#kept.length = 0;
  }

  drain(): void {
    this.#events?.drain();
  }

  close(error: Error | undefined): void {
    this.#closing ??= { error };
    this.#deliver();
  }

  #deliver(): void {
    while (this.#events !== undefined && this.#kept.length > 0) {
      const { kind, body } = this.#kept.shift() as Kept;
      this.#events.packet(kind, body, true);
    }
    if (this.#kept.length > 0) return;
    if (this.#keptBytes > MAX_KEPT) this.#full(false);
    this.#keptBytes = 0;
    if (this.#closing === undefined || this.#told || this.#events === undefined) return;
    this.#told = true;
    this.#events.close(this.#closing.error);
  }
}

/** The owner of a transport, for tests: keeps what it was told and lets a test wait for it. */
import assert from 'node:assert/strict';
import type { Transport, TransportEvents } from '../../src/transport/transport.ts';

export interface Packet {
  readonly kind: number;
  readonly body: Buffer;
}

export class Recorder implements TransportEvents {
  readonly packets: Packet[] = [];
  bytes = 0;
  drains = 0;
  readonly closes: (Error | undefined)[] = [];
  /** Called after each packet. */
  onPacket: (packet: Packet) => void = () => undefined;
  onDrain: () => void = () => undefined;
  /** Bodies that said they may be kept, with a copy of what they held on arrival. */
  readonly kept: { readonly body: Uint8Array; readonly copy: Buffer }[] = [];
  #waiting: { readonly met: () => boolean; readonly resolve: () => void }[] = [];

  packet(kind: number, body: Uint8Array, owned: boolean): void {
    assert.equal(this.closes.length, 0, 'nothing may be told after close');
    const copy = Buffer.from(body);
    if (owned) this.kept.push({ body, copy });
    const packet = { kind, body: copy };
    this.packets.push(packet);
    this.bytes += body.length;
    this.onPacket(packet);
    this.#wake();
  }

  drain(): void {
    this.drains++;
    this.onDrain();
    this.#wake();
  }

  close(error: Error | undefined): void {
    this.closes.push(error);
    this.#wake();
  }

  #wake(): void {
    for (const { met, resolve } of this.#waiting) if (met()) resolve();
    this.#waiting = this.#waiting.filter(({ met }) => !met());
  }

  until(met: () => boolean): Promise<void> {
    if (met()) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ met, resolve }));
  }

  received(count: number): Promise<void> {
    return this.until(() => this.packets.length >= count);
  }

  /** Waits for the end, and a little longer for what may not come after it. */
  async closed(): Promise<Error | undefined> {
    await this.until(() => this.closes.length > 0);
    await laps(5);
    assert.equal(this.closes.length, 1, 'close is told once');
    return this.closes[0];
  }

  get texts(): string[] {
    return this.packets.map(({ kind, body }) => `${kind} ${body}`);
  }
}

export function record(transport: Transport): Recorder {
  const recorder = new Recorder();
  transport.events = recorder;
  return recorder;
}

/** Rounds of the event loop. */
export async function laps(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}

export function codeOf(error: unknown): string | undefined {
  return (error as { code?: string } | undefined)?.code;
}

/**
 * Several links over one pair of pipes: `[length u32][message u8][channel u8][payload]` behind a marker, so that what a
 * login shell or a wrapper prints before the agent starts is skipped.
 */
import type { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { ElsewhereError } from '../base/errors.ts';
import { MAX_PACKET } from '../wire/message.ts';
import { CreditedTransport } from './credited.ts';
import { signsOfLife } from './pulse.ts';
import type { Transport } from './transport.ts';

/** The agent's first bytes. */
const MARKER: Buffer = Buffer.from('\n\u0001elsewhere-links-1\u0001\n', 'latin1');
/** What may be printed before it, in bytes. */
const MAX_PREAMBLE = 256 * 1024;
const HEADER = 6;
const MAX_CHANNELS = 64;

const Message = { OPEN: 1, PACKET: 2, CREDIT: 3, END: 4, RESET: 5, ALIVE: 6 } as const;

export interface MuxOptions {
  readonly input: Readable;
  readonly output: Writable;
  readonly description: string;
  /** The accepting side: writes the marker, and is given each link that the other one opens. */
  readonly accept?: (transport: Transport) => void;
}

export class Mux {
  readonly #options: MuxOptions;
  readonly #channels = new Map<number, CreditedTransport>();
  #started: boolean;
  #next = 0;
  #rest: Buffer = Buffer.alloc(0);
  #over = false;
  /** Why it is. */
  #reason: Error | undefined;

  constructor(options: MuxOptions) {
    this.#options = options;
    const { input, output } = options;
    // The accepting side is spoken to by our own code only.
    this.#started = options.accept !== undefined;
    if (this.#started) output.write(MARKER);
    input.on('data', (chunk: Buffer) => this.#push(chunk));
    // The end of the input comes too, and says more.
    output.on('error', () => undefined);
  }

  /** Opens a link; packets wait in the pipe until the other side is there. One over a pipe that has ended is over too. */
  open(): Transport {
    const channel = this.#freeChannel();
    this.#write(Message.OPEN, channel);
    const transport = this.#channel(channel);
    if (this.#over) transport.destroy(this.#reason);
    return transport;
  }

  /** In turn, so that a number is not used again before the other side has heard of the end of its last link. */
  #freeChannel(): number {
    if (this.#channels.size >= MAX_CHANNELS) throw protocol('too many links on one pipe');
    do this.#next = (this.#next % 255) + 1;
    while (this.#channels.has(this.#next));
    return this.#next;
  }

  #channel(channel: number): CreditedTransport {
    const { input, output } = this.#options;
    const transport = new CreditedTransport(
      {
        packet: (kind, head, tail) =>
          this.#write(Message.PACKET, channel, Buffer.of(kind), head, tail),
        credit: (bytes) => {
          const payload = Buffer.alloc(4);
          payload.writeUInt32LE(bytes);
          this.#write(Message.CREDIT, channel, payload);
        },
        end: () => this.#write(Message.END, channel),
        reset: (error) => this.#write(Message.RESET, channel, Buffer.from(error?.message ?? '')),
        release: () => this.#channels.delete(channel),
        signsOfLife: (interval) =>
          signsOfLife(output as Socket, this.#head(Message.ALIVE, 0, 0), interval),
        ref: () => refAll(input, output, 'ref'),
        unref: () => refAll(input, output, 'unref'),
      },
      this.#options.description,
    );
    this.#channels.set(channel, transport);
    return transport;
  }

  #write(message: number, channel: number, ...parts: (Uint8Array | undefined)[]): void {
    if (this.#over) return;
    const payload = parts.filter((part) => part !== undefined);
    const length = payload.reduce((sum, part) => sum + part.length, 0);
    this.#options.output.write(Buffer.concat([this.#head(message, channel, length), ...payload]));
  }

  #head(message: number, channel: number, length: number): Buffer {
    const header = Buffer.alloc(HEADER);
    header.writeUInt32LE(2 + length);
    header[4] = message;
    header[5] = channel;
    return header;
  }

  #push(chunk: Buffer): void {
    if (this.#over) return;
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    if (!this.#started && !this.#skip()) return;
    try {
      this.#cut();
    } catch (error) {
      this.end(error as Error);
    }
  }

  /** True once the marker was found. */
  #skip(): boolean {
    const at = this.#rest.indexOf(MARKER);
    if (at !== -1) {
      this.#rest = this.#rest.subarray(at + MARKER.length);
      this.#started = true;
      return true;
    }
    if (this.#rest.length > MAX_PREAMBLE) this.end(protocol('it prints, but no agent starts'));
    return false;
  }

  #cut(): void {
    while (this.#rest.length >= HEADER) {
      const length = this.#rest.readUInt32LE(0);
      if (length < 2 || length > MAX_PACKET + 64)
        throw protocol('something else wrote into the pipe of the links');
      if (this.#rest.length < 4 + length) return;
      const [message, channel] = [this.#rest[4] as number, this.#rest[5] as number];
      const payload = this.#rest.subarray(HEADER, 4 + length);
      this.#rest = this.#rest.subarray(4 + length);
      this.#message(message, channel, payload);
    }
  }

  #message(message: number, channel: number, payload: Buffer): void {
    if (message === Message.OPEN) return this.#accept(channel);
    if (message === Message.ALIVE) {
      for (const transport of this.#channels.values()) transport.alive();
      return;
    }
    const transport = this.#channels.get(channel);
    // One that is over on this side: the other has not heard of it yet.
    if (transport === undefined) return;
    if (message === Message.PACKET)
      transport.arrived(payload[0] ?? 0, Buffer.from(payload.subarray(1)));
    else if (message === Message.CREDIT && payload.length === 4)
      transport.granted(payload.readUInt32LE(0));
    else if (message === Message.END) transport.peerEnded();
    else if (message === Message.RESET) transport.peerGone(undefined);
    else throw protocol(`a message of unknown kind ${message}`);
  }

  #accept(channel: number): void {
    const { accept } = this.#options;
    if (accept === undefined || this.#channels.has(channel) || this.#channels.size >= MAX_CHANNELS)
      throw protocol('a link that may not be opened');
    accept(this.#channel(channel));
  }

  /** What came in place of an agent, as long as there is none. */
  get preamble(): string | undefined {
    return this.#started ? undefined : this.#rest.toString();
  }

  /** The pipe has ended, and with it all links. */
  end(error: Error | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.#reason = error;
    for (const transport of this.#channels.values()) transport.peerGone(error);
  }

  /** Says good-bye: the other side ends with its input. */
  close(): void {
    this.#options.output.end();
  }
}

function refAll(input: Readable, output: Writable, verb: 'ref' | 'unref'): void {
  for (const stream of [input, output] as unknown as Partial<Record<'ref' | 'unref', () => void>>[])
    stream[verb]?.();
}

function protocol(what: string): ElsewhereError {
  return new ElsewhereError('ERR_ELSEWHERE_PROTOCOL', what);
}

/** The streams of a session by id: ours odd or even by side, the peer's the other. */

import { Op } from '../wire/message.ts';
import type { ByteStream, StreamHandler } from './channel.ts';
import type { Lane } from './lane.ts';
import type { StreamOpener } from './methods.ts';
import { protocolError } from './protocol-error.ts';
import { deadStream, SessionStream, type StreamPort } from './stream.ts';
import { surface } from './surface.ts';
import { WindowPool } from './window.ts';

const MAX_STREAMS = 65_536;
/** How many ids of ended streams are remembered, to tell late packets from foreign ones. */
const NEVER = 0;

export class StreamTable {
  readonly #streams = new Map<number, SessionStream>();
  readonly #port: StreamPort;
  /** How often a stream of ours had something to send and no credit. */
  stalls = 0;
  #next: number;
  #highestTheirs = NEVER;

  constructor(first: 1 | 2, lane: Lane) {
    this.#next = first;
    this.#port = {
      get writable() {
        return lane.writable;
      },
      get chunk() {
        return lane.pace.chunk;
      },
      windows: new WindowPool(),
      data: (id, bytes, isLast) => lane.sendData(id, bytes, isLast ? bytes : undefined),
      signal: (id, value) => lane.post([Op.SIGNAL, id, value]),
      credit: (id, bytes) => lane.sendCredit(id, bytes),
      end: (id) => lane.sendEnd(id),
      reset: (id, reason) => lane.sendReset(id, reason),
      forget: (id) => this.#streams.delete(id),
      stalled: () => this.stalls++,
    };
  }

  get size(): number {
    return this.#streams.size;
  }

  newId(): number {
    const id = this.#next;
    this.#next += 2;
    return id;
  }

  create(id: number, handler: StreamHandler): SessionStream {
    const stream = new SessionStream(id, this.#port, handler);
    this.#streams.set(id, stream);
    return stream;
  }

  dead(error: Error, handler: StreamHandler): ByteStream {
    return deadStream(this.newId(), error, handler);
  }

  /** The peer opened a stream. */
  opened(id: unknown, opener: StreamOpener | undefined, args: unknown[], method: string): void {
    if (typeof id !== 'number' || id % 2 === this.#next % 2 || id <= this.#highestTheirs)
      throw protocolError('a stream with an id that is not its own');
    this.#highestTheirs = id;
    const stream = new SessionStream(id, this.#port, undefined);
    this.#streams.set(id, stream);
    if (opener === undefined) return stream.reset('ERR_ELSEWHERE_NO_METHOD');
    if (this.#streams.size > MAX_STREAMS) return stream.reset('EMFILE');
    try {
      opener(stream, args);
      if (!stream.accepted) throw new Error(`${method} did not accept its stream`);
    } catch (error) {
      stream.reset(errorCode(error));
      if (!stream.accepted) surfaceUnlessCoded(error);
    }
  }

  data(id: number, bytes: Uint8Array): void {
    this.#find(id)?.receiveData(bytes);
  }

  credit(id: number, bytes: number): void {
    this.#find(id)?.receiveCredit(bytes);
  }

  end(id: number): void {
    this.#find(id)?.receiveEnd();
  }

  reset(id: number, reason: string): void {
    this.#find(id)?.receiveReset(reason);
  }

  signal(id: unknown, value: unknown, size: number): void {
    this.#find(id as number)?.receiveSignal(value, size);
  }

  /** Until the lane is full. The stream that filled it goes behind the others, so that each gets its turn. */
  pump(): void {
    for (const [id, stream] of this.#streams) {
      if (!stream.pump()) continue;
      this.#streams.delete(id);
      this.#streams.set(id, stream);
      return;
    }
  }

  lose(error: Error): void {
    for (const stream of [...this.#streams.values()]) stream.lose(error);
  }

  /** Packets for a stream that has just ended here are late, not wrong; one that never was is a fault. */
  #find(id: number): SessionStream | undefined {
    const stream = this.#streams.get(id);
    if (stream !== undefined) return stream;
    const known = id % 2 === this.#next % 2 ? id < this.#next : id <= this.#highestTheirs;
    if (!known) throw protocolError('data for a stream that was never opened');
    return undefined;
  }
}

function errorCode(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : 'ERR_ELSEWHERE_PROTOCOL';
}

function surfaceUnlessCoded(error: unknown): void {
  if (typeof (error as { code?: unknown } | null)?.code !== 'string') surface(error);
}

/**
 * Large byte arrays of arguments and results. They travel as streams of their own behind the frame that names them, so
 * that no answer can hold up the link; the frame is delivered when all its attachments are there.
 */
import { lend } from '../base/spare-memory.ts';
import type { PendingFrame } from '../wire/codec.ts';
import { Limit } from '../wire/message.ts';
import { protocolError } from './protocol-error.ts';

/** A program may well write this many large files at once. */
const MAX_WAITING = 65_536;

interface Outgoing {
  readonly id: number;
  readonly bytes: Uint8Array;
  offset: number;
}

/** Sends attachments in the order of their frames, a chunk at a time while the lane takes them. */
export class AttachmentOutbox {
  readonly #queue: Outgoing[] = [];
  readonly #chunk: () => number;
  readonly #data: (id: number, bytes: Uint8Array) => void;
  readonly #end: (id: number, bytes: Uint8Array) => void;
  /** While nothing may leave. Sending a chunk flushes frames first, which asks for another round. */
  shut = false;
  #grew = false;

  /** `chunk`: bytes that leave at once, asked before each. */
  constructor(
    data: (id: number, bytes: Uint8Array) => void,
    end: (id: number, bytes: Uint8Array) => void,
    chunk: () => number = () => Limit.DATA,
  ) {
    this.#chunk = chunk;
    this.#data = data;
    this.#end = end;
  }

  add(id: number, bytes: Uint8Array): void {
    this.#queue.push({ id, bytes, offset: 0 });
    this.#grew = true;
  }

  /** Whether anything was added since it was asked. */
  grew(): boolean {
    const grew = this.#grew;
    this.#grew = false;
    return grew;
  }

  pump(writable: () => boolean): void {
    if (this.shut) return;
    this.shut = true;
    try {
      this.#send(writable);
    } finally {
      this.shut = false;
    }
  }

  #send(writable: () => boolean): void {
    let next = this.#queue[0];
    while (next !== undefined && writable()) {
      const end = Math.min(next.offset + this.#chunk(), next.bytes.length);
      this.#data(next.id, next.bytes.subarray(next.offset, end));
      next.offset = end;
      if (end < next.bytes.length) continue;
      this.#end(next.id, next.bytes);
      this.#queue.shift();
      next = this.#queue[0];
    }
  }

  clear(): void {
    this.#queue.length = 0;
  }
}

interface Incoming {
  readonly owner: Waiting;
  readonly length: number;
  bytes: Buffer | undefined;
  received: number;
}

interface Waiting {
  readonly frame: PendingFrame;
  readonly deliver: (frame: unknown[]) => void;
  readonly arrived: Map<number, Uint8Array>;
  missing: number;
}

/** Gathers attachments and delivers the frames that waited for them. */
export class AttachmentInbox {
  readonly #incoming = new Map<number, Incoming>();

  expect(frame: PendingFrame, deliver: (frame: unknown[]) => void): void {
    const owner: Waiting = {
      frame,
      deliver,
      arrived: new Map(),
      missing: frame.attachments.length,
    };
    for (const { id, length } of frame.attachments) {
      if (
        length > Limit.ATTACHMENT ||
        this.#incoming.size >= MAX_WAITING ||
        this.#incoming.has(id)
      ) {
        throw protocolError(`an attachment that is too large or out of place (${length} bytes)`);
      }
      this.#incoming.set(id, { owner, length, bytes: undefined, received: 0 });
    }
  }

  /** Attachments that have not arrived. */
  get size(): number {
    return this.#incoming.size;
  }

  has(id: number): boolean {
    return this.#incoming.has(id);
  }

  data(id: number, bytes: Uint8Array): void {
    const incoming = this.#incoming.get(id) as Incoming;
    if (incoming.received + bytes.length > incoming.length)
      throw protocolError('more than it announced');
    // Had at the first byte; the system gives pages only as they are written, so a lie costs nothing.
    incoming.bytes ??= lend(incoming.length);
    incoming.bytes.set(bytes, incoming.received);
    incoming.received += bytes.length;
  }

  end(id: number): void {
    const incoming = this.#incoming.get(id) as Incoming;
    if (incoming.received !== incoming.length) throw protocolError('less than it announced');
    this.#incoming.delete(id);
    const { owner } = incoming;
    owner.arrived.set(id, incoming.bytes ?? Buffer.alloc(0));
    owner.missing--;
    if (owner.missing === 0) owner.deliver(owner.frame.complete(owner.arrived));
  }

  clear(): void {
    this.#incoming.clear();
  }
}

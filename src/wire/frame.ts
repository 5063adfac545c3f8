/** Packets on a byte stream: `[length u32 little endian][kind u8][body]`. It does not know what the kinds mean. */
import { ElsewhereError } from '../base/errors.ts';
import { lendRoom } from '../base/spare-memory.ts';
import { LAST_KIND, Limit } from './message.ts';

const HEADER = 5;
/** Less is not worth a read of its own. */
const DIRECT = 32 * 1024;
/** Bodies of this size make it likely that the next is as large. */
const LARGE = 128 * 1024;

export function packetHeader(kind: number, bodyLength: number): Uint8Array {
  const header = Buffer.allocUnsafe(HEADER);
  header.writeUInt32LE(bodyLength + 1, 0);
  header[4] = kind;
  return header;
}

/** What the body of every stream packet begins with. `credit`: bytes granted, in a CREDIT packet. */
export function streamHead(stream: number, credit?: number): Buffer {
  const head = Buffer.allocUnsafe(credit === undefined ? 4 : 8);
  head.writeUInt32LE(stream, 0);
  if (credit !== undefined) head.writeUInt32LE(credit, 4);
  return head;
}

const NOTHING: Buffer = Buffer.alloc(0);

export type PacketSink = (kind: number, body: Uint8Array, owned: boolean) => void;

/**
 * Cuts a byte stream into packets. A body inside one chunk is a view of it; one that spans chunks is assembled once,
 * in memory of its own (`owned`).
 */
export abstract class PacketReader {
  /** Largest body in bytes; an announced length above it fails before anything is kept. */
  limit: number = Limit.HANDSHAKE;
  readonly #sink: PacketSink;
  /** Bytes of an incomplete head. */
  #start: Buffer = NOTHING;
  #kind = 0;
  #body: Buffer | undefined;
  #filled = 0;
  /** The last body was large. */
  expectsLarge = false;

  constructor(sink: PacketSink) {
    this.#sink = sink;
  }

  /** Takes the head of a packet, and `take`s its body: what is left. Undefined if more of the head must come. */
  protected abstract begin(rest: Buffer): Buffer | undefined;

  /** The rest of a large body, for its bytes to be read there at once; `filled` tells of them. */
  get room(): Uint8Array | undefined {
    const body = this.#body;
    if (body === undefined || body.length - this.#filled < DIRECT) return undefined;
    return body.subarray(this.#filled);
  }

  /** So many bytes have come into `room`. */
  filled(bytes: number): void {
    this.#filled += bytes;
    if (this.#filled === this.#body?.length) this.#whole(this.#body);
  }

  /** Throws ERR_ELSEWHERE_PROTOCOL for what cannot be a packet; the reader is then of no more use. */
  push(chunk: Uint8Array): void {
    let rest = Buffer.isBuffer(chunk)
      ? chunk
      : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    if (this.#start.length > 0) {
      rest = Buffer.concat([this.#start, rest]);
      this.#start = NOTHING;
    }
    while (rest.length > 0) {
      const next = this.#body === undefined ? this.begin(rest) : this.#fill(this.#body, rest);
      if (next === undefined) {
        this.#start = Buffer.from(rest);
        return;
      }
      rest = next;
    }
  }

  /** A body of `length` bytes begins. Returns what does not belong to it. */
  protected take(kind: number, length: number, rest: Buffer): Buffer {
    if (rest.length >= length) {
      this.expectsLarge = length >= LARGE;
      // Most often it is the whole: views are not for nothing.
      const isWhole = rest.length === length;
      this.#sink(kind, isWhole ? rest : rest.subarray(0, length), false);
      return isWhole ? NOTHING : rest.subarray(length);
    }
    this.#kind = kind;
    this.#body = lendRoom(length);
    this.#filled = 0;
    return this.#fill(this.#body, rest);
  }

  #fill(body: Buffer, rest: Buffer): Buffer {
    const taken = rest.copy(body, this.#filled);
    this.#filled += taken;
    if (this.#filled === body.length) this.#whole(body);
    return rest.subarray(taken);
  }

  #whole(body: Buffer): void {
    this.#body = undefined;
    this.expectsLarge = body.length >= LARGE;
    this.#sink(this.#kind, body, true);
  }
}

/** Packets with a header of ours. */
export class StreamPacketReader extends PacketReader {
  #first = true;

  protected begin(rest: Buffer): Buffer | undefined {
    if (this.#first) refuseForeign(rest);
    if (rest.length < HEADER) return undefined;
    const length = rest.readUInt32LE(0) - 1;
    const kind = rest[4] as number;
    if (length < 0 || kind < 1 || kind > LAST_KIND)
      throw broken(`the peer sent a packet of unknown kind ${kind}`);
    if (length > this.limit)
      throw broken(`the peer sent a packet of ${length} bytes; at most ${this.limit} are allowed`);
    this.#first = false;
    return this.take(kind, length, rest.subarray(HEADER));
  }
}

const FOREIGN: readonly [RegExp, string][] = [
  [/^(GET|HEAD|POST|PUT|DELETE|OPTIONS|CONNECT|TRACE|PATCH|HTTP)/, 'HTTP'],
  [/^SSH-/, 'SSH'],
];

/** What somebody else's first bytes would look like as a length would only confuse. */
function refuseForeign(bytes: Buffer): void {
  // A TLS record: handshake (22) of version 3.
  if (bytes[0] === 22 && bytes[1] === 3) throw foreign('TLS');
  const text = bytes.toString('latin1', 0, 8);
  for (const [pattern, name] of FOREIGN) {
    if (pattern.test(text)) throw foreign(name);
  }
}

function foreign(name: string): ElsewhereError {
  return broken(`this is not the elsewhere protocol: it looks like ${name}`);
}

function broken(what: string): ElsewhereError {
  return new ElsewhereError('ERR_ELSEWHERE_PROTOCOL', what);
}

/**
 * Reads the messages of a WebSocket in place of the ws package, which takes fresh memory and copies. That one still has
 * what is no packet, frame by frame: pings, the close, real masks, and all that is not allowed.
 */
import { PacketReader, type PacketSink } from '../wire/frame.ts';
import { LAST_KIND } from '../wire/message.ts';
import { FIN, type FrameHead, Opcode, readHead } from '../wire/ws-head.ts';

const CONTROL = 0x08;
const LONGEST_CONTROL = 125;

export class MessageReader extends PacketReader {
  readonly #masked: boolean;
  readonly #other: (bytes: Buffer) => void;
  /** Bytes of a frame that are for the ws package. */
  #passing = 0;

  /** `masked`: the peer is a client. `other` has frames that are not for us; the bytes are good during the call. */
  constructor(masked: boolean, sink: PacketSink, other: (bytes: Buffer) => void) {
    super(sink);
    this.#masked = masked;
    this.#other = other;
  }

  protected begin(rest: Buffer): Buffer | undefined {
    if (this.#passing > 0) return this.#pass(rest);
    const head = readHead(rest);
    if (head === undefined) return undefined;
    if (this.#isPacket(head)) {
      if (rest.length === head.size) return undefined;
      const kind = rest[head.size] as number;
      if (kind >= 1 && kind <= LAST_KIND)
        return this.take(kind, head.length - 1, rest.subarray(head.size + 1));
    }
    // What breaks the protocol has no end that we could know.
    this.#passing = this.#isAllowed(head) ? head.size + head.length : Number.POSITIVE_INFINITY;
    return this.#pass(rest);
  }

  #isPacket({ first, masked, changes, length }: FrameHead): boolean {
    if (first !== (FIN | Opcode.BINARY) || masked !== this.#masked || changes) return false;
    return length > 0 && length - 1 <= this.limit;
  }

  #isAllowed({ first, masked, length }: FrameHead): boolean {
    if (masked !== this.#masked) return false;
    if (first === (FIN | Opcode.BINARY)) return length - 1 <= this.limit;
    return isPing(first) && length <= LONGEST_CONTROL;
  }

  #pass(rest: Buffer): Buffer {
    const bytes = rest.subarray(0, this.#passing);
    this.#passing -= bytes.length;
    this.#other(bytes);
    return rest.subarray(bytes.length);
  }
}

/** Nothing comes after a close. */
const isPing = (first: number): boolean =>
  (first & FIN) !== 0 && (first & 0x0f & CONTROL) !== 0 && (first & 0x0f) !== Opcode.CLOSE;

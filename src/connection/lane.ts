/**
 * One link of a session: batches frames of a tick into one packet, counts sequenced packets, interns method names,
 * and moves large byte arrays ("attachments") apart from the calls that carry them. It does not know what calls mean.
 */
import { ElsewhereError } from '../base/errors.ts';
import type { Transport, TransportEvents } from '../transport/transport.ts';
import { decodeFrames, encodeFrame, joinFrames, PendingFrame } from '../wire/codec.ts';
import { FIRST_SEQUENCED, Kind, Limit, MAX_PACKET, Op } from '../wire/message.ts';
import { AttachmentInbox, AttachmentOutbox } from './attachments.ts';
import { MethodNames } from './method-names.ts';

/** What a lane tells the session. */
export interface LaneOwner {
  /** One whole frame, with its method number turned back into the name. */
  frame(lane: Lane, frame: unknown[]): void;
  data(lane: Lane, stream: number, bytes: Uint8Array): void;
  credit(stream: number, bytes: number): void;
  end(stream: number): void;
  reset(stream: number, reason: string): void;
  goAway(reason: string): void;
  /** A sequenced packet, of whatever kind, was dealt with: `received` is one more. */
  advanced(lane: Lane): void;
  /** The lane can take bulk again. */
  drained(lane: Lane): void;
  closed(lane: Lane, error: Error | undefined): void;
  /** A stream id that was never used before. */
  newStreamId(): number;
}

const MAX_FRAMES = 256;
const BURST_TURNS = 2;
/** An ACK leaves after this many received bytes, or with the next packet that asks for an answer. */
const ACK_BYTES = 64 * 1024;

export class Lane {
  readonly name: 'main' | 'sync';
  /** Sequenced packets sent and received. */
  sent = 0;
  received = 0;
  bytesSent = 0;
  bytesReceived = 0;
  /** When the peer was last heard, in ms of `performance.now()`. */
  lastHeard: number = performance.now();
  #transport: Transport | undefined;
  readonly #owner: LaneOwner;
  readonly #outNames = new MethodNames();
  readonly #inNames = new MethodNames();
  readonly #outbox: AttachmentOutbox;
  readonly #inbox = new AttachmentInbox();
  #batch: Uint8Array[] = [];
  #batchBytes = 0;
  #scheduled = false;
  /** Turns of the event loop in which frames leave together: several answers came at once, and are handed out one by one. */
  #burst = 0;
  #receiving = false;
  #unacked = 0;
  #congested = false;
  #dead = false;
  #closed = false;

  constructor(name: 'main' | 'sync', owner: LaneOwner) {
    this.name = name;
    this.#owner = owner;
    this.#outbox = new AttachmentOutbox(
      (id, bytes) => this.#sendBulk(Kind.DATA, id, bytes),
      (id) => this.#sendBulk(Kind.END, id),
    );
  }

  get transport(): Transport | undefined {
    return this.#transport;
  }

  /** False while bulk data should wait for `drained`. RPC frames never wait. */
  get writable(): boolean {
    return this.#transport !== undefined && !this.#congested && !this.#dead;
  }

  /** Takes over an authenticated transport; frames posted before leave now. */
  attach(transport: Transport): void {
    this.#transport = transport;
    transport.setLimit(MAX_PACKET);
    this.lastHeard = performance.now();
    transport.events = this.#events;
    this.flush();
    if (this.writable) this.#owner.drained(this);
  }

  /** The number of the packet that the next frame will travel in: compare with `sent` to know whether it has left. */
  get nextPacket(): number {
    return this.sent + 1;
  }

  /** Encodes a frame now and sends it with all others of this tick. Throws TypeError for values that cannot travel. */
  post(frame: readonly unknown[]): void {
    this.#append(frame);
  }

  /** The same for frames that name a method: [...head, method, args]. */
  postMethod(head: readonly number[], method: string, args: readonly unknown[]): void {
    this.#append([...head, this.#outNames.short(method), args]);
    this.#outNames.sent(method);
  }

  #append(frame: readonly unknown[]): void {
    const encoded = encodeFrame(frame, this.#detach);
    if (this.#batch.length >= MAX_FRAMES || this.#batchBytes + encoded.length > Limit.RPC - 16)
      this.flush();
    this.#batch.push(encoded);
    this.#batchBytes += encoded.length;
    if (this.#scheduled || this.#receiving) return;
    this.#scheduled = true;
    if (this.#burst === 0) process.nextTick(this.#flushTick);
  }

  readonly #detach = (bytes: Uint8Array): number => {
    const id = this.#owner.newStreamId();
    this.#outbox.add(id, bytes);
    return id;
  };

  readonly #flushTick = (): void => {
    this.#scheduled = false;
    this.flush();
  };

  /** From now on frames leave once in each turn of the event loop, until two turns brought none. */
  #startBurst(): void {
    if (this.#burst === 0) setImmediate(this.#endTurn);
    this.#burst = BURST_TURNS;
  }

  readonly #endTurn = (): void => {
    if (this.#scheduled) this.#burst = BURST_TURNS;
    else this.#burst--;
    this.#flushTick();
    if (this.#burst > 0) setImmediate(this.#endTurn);
  };

  /** Sends the frames gathered so far. */
  flush(): void {
    if (this.#batch.length === 0 || this.#transport === undefined) return;
    const body = joinFrames(this.#batch, this.#batchBytes);
    this.#batch = [];
    this.#batchBytes = 0;
    this.#transmit(Kind.RPC, body);
    if (this.writable) this.#outbox.pump(() => this.writable);
  }

  #transmit(kind: number, head: Uint8Array, tail?: Uint8Array): void {
    const transport = this.#transport;
    if (transport === undefined || this.#dead) return;
    if (kind >= FIRST_SEQUENCED) this.sent++;
    this.bytesSent += head.length + (tail?.length ?? 0);
    if (!transport.send(kind, head, tail)) this.#congested = true;
  }

  #sendBulk(kind: number, stream: number, bytes?: Uint8Array): void {
    this.flush();
    const head = Buffer.allocUnsafe(4);
    head.writeUInt32LE(stream, 0);
    this.#transmit(kind, head, bytes);
  }

  /** At most Limit.DATA bytes of a stream. */
  sendData(stream: number, bytes: Uint8Array): void {
    this.#sendBulk(Kind.DATA, stream, bytes);
  }

  sendEnd(stream: number): void {
    this.#sendBulk(Kind.END, stream);
  }

  sendCredit(stream: number, bytes: number): void {
    this.flush();
    const head = Buffer.allocUnsafe(8);
    head.writeUInt32LE(stream, 0);
    head.writeUInt32LE(bytes, 4);
    this.#transmit(Kind.CREDIT, head);
  }

  sendReset(stream: number, reason: string): void {
    this.#sendBulk(Kind.RESET, stream, Buffer.from(reason.slice(0, 256)));
  }

  sendPing(payload: Uint8Array): void {
    this.#transmit(Kind.PING, payload);
  }

  /** Every sequenced packet handed to the kernel, as far as we can tell: what the sync lane may ask the peer to wait for. */
  get handedOver(): number {
    this.flush();
    if (this.#transport !== undefined && this.#transport.buffered === 0)
      this.#handedOver = this.sent;
    return this.#handedOver;
  }
  #handedOver = 0;

  /** Ends the lane after what was posted has left. */
  close(reason?: string): void {
    this.flush();
    if (reason !== undefined) this.#transmit(Kind.GOAWAY, Buffer.from(reason.slice(0, 256)));
    if (this.#transport === undefined) this.#ended(undefined);
    else this.#transport.close();
  }

  destroy(error?: Error): void {
    // Nothing leaves any more: frames of this tick must not count as sent.
    this.#dead = true;
    if (this.#transport === undefined) this.#ended(error);
    else this.#transport.destroy(error);
  }

  #ended(error: Error | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#dead = true;
    this.#batch = [];
    this.#outbox.clear();
    this.#inbox.clear();
    this.#owner.closed(this, error);
  }

  readonly #events: TransportEvents = {
    packet: (kind, body) => this.#packet(kind, body),
    drain: () => this.#drained(),
    close: (error) => this.#ended(error),
  };

  #packet(kind: number, body: Uint8Array): void {
    this.lastHeard = performance.now();
    this.bytesReceived += body.length;
    try {
      if (kind >= FIRST_SEQUENCED) this.#sequenced(kind, body);
      else this.#unsequenced(kind, body);
    } catch (error) {
      // Only the peer's bytes can bring us here: handlers' errors are caught where they are called.
      this.destroy(error as Error);
    }
  }

  #unsequenced(kind: number, body: Uint8Array): void {
    if (kind === Kind.PING) this.#transmit(Kind.PONG, body);
    else if (kind === Kind.ACK || kind === Kind.PONG) return;
    else throw protocolError(`a handshake message (${kind}) after the handshake`);
  }

  #sequenced(kind: number, body: Uint8Array): void {
    this.received++;
    this.#unacked += body.length;
    this.#receiving = true;
    try {
      if (kind === Kind.RPC) this.#frames(body);
      else if (kind === Kind.GOAWAY) this.#owner.goAway(Buffer.from(body).toString());
      else this.#streamPacket(kind, body);
      this.#owner.advanced(this);
    } finally {
      this.#receiving = false;
    }
    this.flush();
    if (this.#unacked >= ACK_BYTES) this.#acknowledge();
  }

  #acknowledge(): void {
    this.#unacked = 0;
    const body = Buffer.allocUnsafe(8);
    body.writeDoubleLE(this.received, 0);
    this.#transmit(Kind.ACK, body);
  }

  #frames(body: Uint8Array): void {
    const frames = decodeFrames(body);
    for (const frame of frames) {
      if (frame instanceof PendingFrame) {
        this.#resolveName(frame.head);
        this.#inbox.expect(frame, (whole) => this.#owner.frame(this, whole));
      } else {
        this.#resolveName(frame);
        this.#owner.frame(this, frame);
      }
      if (this.#closed) return;
    }
    if (frames.length > 1) this.#startBurst();
  }

  /** Turns the method's number into its name, or learns a new name. In the order of arrival, so before attachments come. */
  #resolveName(frame: unknown[]): void {
    const op = frame[0];
    const at = op === Op.CALL || op === Op.OPEN ? 2 : op === Op.NOTIFY ? 1 : -1;
    if (at !== -1) frame[at] = this.#inNames.resolve(frame[at]);
  }

  #streamPacket(kind: number, body: Uint8Array): void {
    if (body.length < 4) throw protocolError('a stream packet without a stream');
    const view = Buffer.from(body.buffer, body.byteOffset, body.length);
    const stream = view.readUInt32LE(0);
    if (kind === Kind.DATA) this.#dataPacket(stream, view.subarray(4));
    else if (kind === Kind.END) this.#endPacket(stream);
    else if (kind === Kind.RESET) this.#owner.reset(stream, view.toString('utf8', 4));
    else if (kind === Kind.CREDIT && body.length === 8)
      this.#owner.credit(stream, view.readUInt32LE(4));
    else throw protocolError(`a malformed stream packet (${kind})`);
  }

  #dataPacket(stream: number, bytes: Uint8Array): void {
    if (bytes.length > Limit.DATA) throw protocolError('a data packet over its limit');
    if (this.#inbox.has(stream)) this.#inbox.data(stream, bytes);
    else this.#owner.data(this, stream, bytes);
  }

  #endPacket(stream: number): void {
    if (this.#inbox.has(stream)) this.#inbox.end(stream);
    else this.#owner.end(stream);
  }

  #drained(): void {
    this.#congested = false;
    this.#outbox.pump(() => this.writable);
    if (this.writable) this.#owner.drained(this);
  }
}

export function protocolError(what: string): ElsewhereError {
  return new ElsewhereError(
    'ERR_ELSEWHERE_PROTOCOL',
    `the peer broke the protocol: it sent ${what}`,
  );
}

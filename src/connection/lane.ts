/**
 * One lane of a session: batches frames of a tick into one packet, counts and keeps sequenced packets until they are
 * acknowledged, interns method names, and moves large byte arrays ("attachments") apart from the calls that carry them.
 * It outlives its transports: what the peer did not get over one is sent over the next. It does not know what calls mean.
 */
import { giveBack, lendCopy } from '../base/spare-memory.ts';
import { NOBODY, type Transport, type TransportEvents } from '../transport/transport.ts';
import { decodeFrames, encodeFrame, PendingFrame } from '../wire/codec.ts';
import { streamHead } from '../wire/frame.ts';
import { FIRST_SEQUENCED, Kind, MAX_PACKET } from '../wire/message.ts';
import { AttachmentInbox, AttachmentOutbox } from './attachments.ts';
import { Batch } from './batch.ts';
import { LaneCounts } from './lane-counts.ts';
import type { LaneOwner } from './lane-owner.ts';
import { MethodNames } from './method-names.ts';
import { Pace } from './pace.ts';
import { isProtocolError, protocolError } from './protocol-error.ts';
import { Receipts, readReceipt } from './receipts.ts';
import { type Packet, ReplayRing } from './replay-ring.ts';
import { readStreamPacket, type StreamPacketSink } from './stream-packets.ts';

export class Lane {
  readonly name: 'main' | 'sync';
  /** The newest packet that a transport has taken, be it lost on the way. */
  handed = 0;
  readonly counts: LaneCounts = new LaneCounts();
  #transport: Transport | undefined;
  readonly #owner: LaneOwner;
  readonly #outNames = new MethodNames();
  readonly #inNames = new MethodNames();
  readonly #outbox: AttachmentOutbox;
  readonly #inbox = new AttachmentInbox();
  readonly #batch = new Batch((body) => this.#sendFrames(body));
  readonly #ring = new ReplayRing();
  readonly pace: Pace = new Pace();
  readonly #receipts = new Receipts((body) => this.#tell(Kind.ACK, body));
  #packets = 0;
  #streamsFirst = false;
  #congested = false;
  #paused = false;
  #over = false;
  /** Set when what arrives can only be the peer's fault: no other transport would make it better. */
  #fault: Error | undefined;

  constructor(name: 'main' | 'sync', owner: LaneOwner) {
    this.name = name;
    this.#owner = owner;
    this.#outbox = new AttachmentOutbox(
      (id, bytes) => this.sendData(id, bytes),
      (id, bytes) => this.#sendLast(id, bytes),
      () => this.pace.chunk,
    );
  }

  get transport(): Transport | undefined {
    return this.#transport;
  }
  /** Sequenced packets made so far. */
  get sent(): number {
    return this.#ring.pushed;
  }
  /** Another number whenever anything has come from the peer; undefined while nothing is read. */
  get heard(): number | undefined {
    if (this.#transport === undefined || this.#paused) return undefined;
    return this.#transport.bytesRead ?? this.#packets;
  }
  /** Sequenced packets received. */
  get received(): number {
    return this.#receipts.count;
  }
  /** Sequenced packets that the peer is known to have. */
  get acknowledged(): number {
    return this.#ring.freed;
  }
  /** Bytes of packets that the peer has not acknowledged. */
  get keptBytes(): number {
    return this.#ring.bytes;
  }
  /** Why the lane cannot go on over another transport. */
  get fault(): Error | undefined {
    return this.#fault;
  }
  /** False while bulk data should wait for `drained`. RPC frames never wait. */
  get writable(): boolean {
    const isFull = this.#congested || this.#ring.bytes >= this.pace.budget;
    return this.#transport !== undefined && !isFull;
  }
  /** Throws ERR_ELSEWHERE_PROTOCOL if the peer cannot have received so many of our packets. Changes nothing. */
  checkReceived(count: number): void {
    this.#ring.check(count);
  }

  /**
   * Takes over an authenticated transport, whose peer has received `count` of our packets: the others are sent again.
   * Throws ERR_ELSEWHERE_PROTOCOL for a count that cannot be true.
   */
  attach(transport: Transport, count: number): void {
    this.detach();
    this.#ring.free(count);
    this.#transport = transport;
    this.#congested = false;
    this.pace.restart();
    this.counts.roundTrips.restart();
    // The handshake has told the peer.
    this.#receipts.told();
    transport.setLimit(MAX_PACKET);
    transport.events = this.#events(transport);
    if (this.#paused) transport.pause();
    for (const { kind, head, tail } of this.#ring) this.#hand(transport, kind, head, tail);
    this.handed = this.#ring.pushed;
    this.flush();
    if (this.writable) this.#drained();
  }

  /** Hands the packets that the peer does not have to `send`, instead of to a transport. Returns the number of the last. */
  replay(count: number, send: (packet: Packet) => void): number {
    this.flush();
    this.detach();
    this.#ring.free(count);
    for (const packet of this.#ring) send(packet);
    this.handed = this.#ring.pushed;
    return this.handed;
  }

  /** The peer has told elsewhere that it has the first `count` packets. */
  confirm(count: number): void {
    this.#ring.free(count);
  }

  /** Hands the packets that no transport has taken to `send`, after those that one has. */
  forward(send: (packet: Packet) => void): void {
    let number = this.#ring.freed;
    for (const packet of this.#ring) if (++number > this.handed) send(packet);
    this.handed = this.#ring.pushed;
  }

  /** Whether packets of the peer are left unread, over this and later transports. */
  get paused(): boolean {
    return this.#paused;
  }
  set paused(on: boolean) {
    if (on === this.#paused) return;
    this.#paused = on;
    if (on) this.#transport?.pause();
    else this.#transport?.resume();
  }

  /** Lets go of the transport without a word: a newer one takes its place, or the lane has to wait for one. */
  detach(): void {
    const transport = this.#transport;
    if (transport === undefined) return;
    this.#transport = undefined;
    this.#receipts.told();
    transport.events = NOBODY;
    transport.destroy();
  }

  /** The number of the packet that the next frame will travel in: compare with `handed` to know whether it has left. */
  get nextPacket(): number {
    return this.#ring.pushed + 1;
  }

  /** Encodes a frame now and sends it with all others of this tick. Throws TypeError for values that cannot travel. */
  post(frame: readonly unknown[]): void {
    this.#append(frame);
  }

  /** The same for frames that name a method: [...head, method, ...rest]. */
  postMethod(head: readonly number[], method: string, ...rest: readonly unknown[]): void {
    this.#append([...head, this.#outNames.short(method), ...rest]);
    this.#outNames.sent(method);
  }

  #append(frame: readonly unknown[]): void {
    const encoded = encodeFrame(frame, this.#detach);
    this.counts.framesSent++;
    // Adding it may send the frames before it: its attachments must not leave with them.
    this.#outbox.shut = true;
    this.#batch.add(encoded);
    this.#outbox.shut = false;
  }

  readonly #detach = (bytes: Uint8Array): number => {
    const id = this.#owner.newStreamId();
    this.#outbox.add(id, bytes);
    return id;
  };

  /** Sends the frames gathered so far. */
  flush(): void {
    this.#batch.flush();
  }
  #sendFrames(body: Uint8Array): void {
    if (!this.#outbox.grew()) this.pace.called();
    this.#transmit(Kind.RPC, body);
    if (this.writable) this.#outbox.pump(() => this.writable);
  }

  /** Keeps a sequenced packet and sends it, now or with the next transport. */
  #transmit(kind: number, head: Uint8Array, tail?: Uint8Array, whole?: Uint8Array): void {
    if (this.#over) return;
    this.#ring.push(kind, head, tail, whole);
    const transport = this.#transport;
    if (transport === undefined) return;
    this.#hand(transport, kind, head, tail);
    this.handed = this.#ring.pushed;
  }

  #hand(transport: Transport, kind: number, head: Uint8Array, tail?: Uint8Array): void {
    this.counts.bytesSent += head.length + (tail?.length ?? 0);
    if (!transport.send(kind, head, tail)) this.#congested = true;
  }

  /** Such packets are about this transport only: they are not kept. */
  #tell(kind: number, body: Uint8Array): void {
    if (this.#transport !== undefined) this.#hand(this.#transport, kind, body);
  }

  #sendBulk(kind: number, stream: number, bytes?: Uint8Array, whole?: Uint8Array): void {
    const transport = this.#batch.isEmpty ? undefined : this.#transport;
    transport?.cork?.(true);
    this.flush();
    if (kind === Kind.DATA) this.pace.left(this.nextPacket);
    this.#transmit(kind, streamHead(stream), bytes, whole);
    transport?.cork?.(false);
  }

  /** The last of an attachment: when the peer has it, it has all of `bytes`. */
  #sendLast(stream: number, bytes: Uint8Array): void {
    this.flush();
    this.#transmit(Kind.END, streamHead(stream), undefined, bytes);
  }

  /** At most Limit.DATA bytes of a stream. `whole`: when the peer has them, it has all of this. */
  sendData(stream: number, bytes: Uint8Array, whole?: Uint8Array): void {
    this.#sendBulk(Kind.DATA, stream, bytes, whole);
  }
  sendEnd(stream: number): void {
    this.#sendBulk(Kind.END, stream);
  }
  sendCredit(stream: number, bytes: number): void {
    this.flush();
    this.#transmit(Kind.CREDIT, streamHead(stream, bytes));
  }
  sendReset(stream: number, reason: string): void {
    this.#sendBulk(Kind.RESET, stream, Buffer.from(reason.slice(0, 256)));
  }
  sendPing(payload: Uint8Array): void {
    this.counts.roundTrips.asked();
    this.#tell(Kind.PING, payload);
  }

  /**
   * The newest packet that a blocking call must not overtake: as far as we can tell the kernel has it; or it waits for the
   * next transport, and can be brought while we block (catch-up.ts).
   */
  get handedOver(): number {
    this.flush();
    if ((this.#transport?.buffered ?? 0) === 0) this.#handedOver = this.#ring.pushed;
    return this.#handedOver;
  }
  #handedOver = 0;

  /** Ends the lane: with a transport, after what was posted has left; `down` follows. */
  close(reason?: string): void {
    if (reason === undefined) this.flush();
    else this.farewell(reason);
    const transport = this.#transport;
    this.#end();
    transport?.close();
  }

  /** Tells the peer that this end will not come back; the lane goes on until its link ends. */
  farewell(reason: string): void {
    this.flush();
    this.#transmit(Kind.GOAWAY, Buffer.from(reason.slice(0, 256)));
  }

  /** Gives the transport up, as if it had failed: `down` follows. */
  interrupt(error: Error): void {
    this.#transport?.destroy(error);
  }

  /** Ends the lane at once. */
  destroy(error?: Error): void {
    this.#fault ??= error;
    const transport = this.#transport;
    this.#end();
    transport?.destroy(error);
  }

  /** Nothing is sent any more: frames of this tick must not count as handed over. */
  #end(): void {
    this.#over = true;
    this.#receipts.told();
    this.#batch.clear();
    this.#outbox.clear();
    this.#inbox.clear();
    this.#ring.clear();
  }

  /** Only of the transport that is attached: late words of an earlier one mean nothing. */
  #events(transport: Transport): TransportEvents {
    return {
      packet: (kind, body, owned) => this.#packet(kind, body, owned),
      drain: () => this.#drained(),
      close: (error) => {
        if (this.#transport !== transport) return;
        this.detach();
        if (error !== undefined && isProtocolError(error)) this.#fault ??= error;
        this.#owner.down(this, error);
      },
    };
  }

  #packet(kind: number, body: Uint8Array, owned: boolean): void {
    this.#packets++;
    this.counts.bytesReceived += body.length;
    try {
      if (kind >= FIRST_SEQUENCED) this.#sequenced(kind, body, owned);
      else this.#unsequenced(kind, body);
    } catch (error) {
      // Only the peer's bytes can bring us here: handlers' errors are caught where they are called.
      this.destroy(error as Error);
    }
  }

  #unsequenced(kind: number, body: Uint8Array): void {
    if (kind === Kind.PING) this.#tell(Kind.PONG, body);
    else if (kind === Kind.ACK) this.#acked(body);
    else if (kind === Kind.PONG) this.counts.roundTrips.answered();
    else if (kind !== Kind.ALIVE)
      throw protocolError(`a handshake message (${kind}) after the handshake`);
  }

  #acked(body: Uint8Array): void {
    const { bytes } = this.#ring;
    const full = bytes >= this.pace.budget;
    this.#ring.free(readReceipt(body));
    this.pace.acknowledged(this.#ring.freed, bytes - this.#ring.bytes, bytes);
    if (full && this.writable) this.#drained();
  }

  #sequenced(kind: number, body: Uint8Array, owned: boolean): void {
    this.#receipts.add(body.length);
    this.#batch.hold();
    try {
      if (kind === Kind.RPC) this.#frames(body);
      else if (kind === Kind.GOAWAY) this.#owner.goAway(Buffer.from(body).toString());
      else readStreamPacket(kind, body, owned, this.#sink);
      this.#owner.advanced(this);
    } finally {
      this.#batch.release();
    }
    if (!this.#over) this.#receipts.settle();
  }

  #frames(body: Uint8Array): void {
    const frames = decodeFrames(body);
    this.counts.framesReceived += frames.length;
    for (const frame of frames) {
      if (frame instanceof PendingFrame) {
        const size = body.length + frame.size;
        this.#inNames.resolveIn(frame.head);
        this.#owner.announced(frame.head, frame.size);
        this.#inbox.expect(frame, (whole) => this.#owner.frame(this, whole, size));
      } else {
        this.#inNames.resolveIn(frame);
        this.#owner.frame(this, frame, body.length);
      }
      if (this.#over) return;
    }
    if (frames.length > 1) this.#batch.startBurst();
  }

  /** Attachments look like streams; only the frame that names them says what they are. */
  readonly #sink: StreamPacketSink = {
    data: (stream, bytes, owned) => {
      if (!this.#inbox.has(stream))
        return this.#owner.data(this, stream, owned ? bytes : lendCopy(bytes));
      this.#inbox.data(stream, bytes);
      giveBack(bytes);
    },
    end: (stream) => {
      if (this.#inbox.has(stream)) this.#inbox.end(stream);
      else this.#owner.end(stream);
    },
    reset: (stream, reason) => this.#owner.reset(stream, reason),
    credit: (stream, bytes) => this.#owner.credit(stream, bytes),
  };

  /** Streams and attachments have the first turn by turns: neither starves behind the other. */
  #drained(): void {
    this.#congested = false;
    this.#streamsFirst = !this.#streamsFirst;
    if (this.#streamsFirst && this.writable) this.#owner.drained(this);
    this.#outbox.pump(() => this.writable);
    if (!this.#streamsFirst && this.writable) this.#owner.drained(this);
  }
}

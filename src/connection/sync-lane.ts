/**
 * Blocking calls: a second link of the same session, on which this very thread waits for the answer. While it waits it
 * serves the calls that the far side makes back, nested as deep as they come.
 */
import { ElsewhereError } from '../base/errors.ts';
import { decodeFrames, encodeFrame, joinFrames, PendingFrame } from '../wire/codec.ts';
import { FIRST_SEQUENCED, Kind, Limit, MAX_PACKET, Op } from '../wire/message.ts';
import { AttachmentInbox } from './attachments.ts';
import type { BlockingLink, BlockingPacket } from './blocking.ts';
import type { PeerInfo } from './channel.ts';
import type { HandshakePacket, HandshakeStep } from './handshake-steps.ts';
import { protocolError } from './lane.ts';
import { MethodNames } from './method-names.ts';

export interface SyncLaneOptions {
  /** Dials; may block. */
  open(): BlockingLink;
  handshake(): Generator<HandshakeStep, PeerInfo, HandshakePacket>;
  /** Calls that the far side makes back while we are blocked. */
  serve(method: string, args: unknown[]): unknown;
  /** Sequenced packets of the main lane that the kernel has: what a blocking call must not overtake. */
  barrier(): number;
}

/** A link that was not used for so many milliseconds is looked at before it is used again. */
const IDLE = 100;

type Answer = { readonly error: unknown } | { readonly value: unknown };

export class SyncLane {
  readonly #options: SyncLaneOptions;
  #link: OpenLink | undefined;
  #closed = false;

  constructor(options: SyncLaneOptions) {
    this.#options = options;
  }

  /** Opens the link now. */
  connect(): PeerInfo {
    this.#link ??= this.#open();
    return this.#link.peer;
  }

  /** Blocks until the answer is there. A link that was lost while idle is opened again. */
  call(method: string, args: readonly unknown[]): unknown {
    if (this.#closed)
      throw new ElsewhereError(
        'ERR_ELSEWHERE_CLOSED',
        `${method} was not sent: the connection is closed`,
        { maybeExecuted: false },
      );
    if (this.#link?.diedIdle() === true) this.#drop(this.#link);
    const fresh = this.#link === undefined;
    this.#link ??= this.#open();
    const link = this.#link;
    const attempt = new Attempt();
    try {
      return link.call(method, args, this.#options.barrier(), attempt);
    } catch (error) {
      if (!attempt.linkFailed) throw error;
      this.#drop(link);
      // Nothing of the call had left: a link that died while idle is no reason to fail.
      if (!fresh && !attempt.sent) return this.call(method, args);
      throw lost(method, attempt.sent, error);
    }
  }

  #open(): OpenLink {
    const link = this.#options.open();
    try {
      const peer = handshake(link, this.#options.handshake());
      link.setLimit(MAX_PACKET);
      return new OpenLink(link, peer, this.#options);
    } catch (error) {
      link.close();
      throw error;
    }
  }

  #drop(link: OpenLink): void {
    link.close();
    if (this.#link === link) this.#link = undefined;
  }

  close(): void {
    this.#closed = true;
    this.#link?.close();
    this.#link = undefined;
  }
}

/** What became of one call, for who has to explain its failure. */
class Attempt {
  sent = false;
  /** The link, not the far side's handler, made it fail. */
  linkFailed = false;
}

/** One authenticated link; its method numbers and call ids live and die with it. */
class OpenLink {
  readonly peer: PeerInfo;
  readonly #link: BlockingLink;
  readonly #options: SyncLaneOptions;
  readonly #outNames = new MethodNames();
  readonly #inNames = new MethodNames();
  readonly #inbox = new AttachmentInbox();
  /** Answers of outer calls that came while an inner one waited. */
  readonly #answers = new Map<number, Answer>();
  #waiting = new Set<number>();
  #nextId = 0;
  #nextStream = 1;
  #barrier = 0;
  #failure: Error | undefined;
  #lastUsed = performance.now();

  constructor(link: BlockingLink, peer: PeerInfo, options: SyncLaneOptions) {
    this.#link = link;
    this.peer = peer;
    this.#options = options;
  }

  call(method: string, args: readonly unknown[], barrier: number, attempt: Attempt): unknown {
    const id = this.#nextId++;
    const frames: unknown[][] = [];
    const behind = barrier > this.#barrier;
    if (behind) frames.push([Op.NOTIFY, this.#outNames.short('session.barrier'), [barrier]]);
    frames.push([Op.CALL, id, this.#outNames.short(method), args]);
    this.#post(frames, attempt);
    if (behind) this.#outNames.sent('session.barrier');
    this.#outNames.sent(method);
    this.#barrier = barrier;
    this.#waiting.add(id);
    try {
      while (!this.#answers.has(id)) this.#step(attempt);
    } finally {
      this.#waiting.delete(id);
      this.#lastUsed = performance.now();
    }
    const answer = this.#answers.get(id) as Answer;
    this.#answers.delete(id);
    if ('error' in answer) throw answer.error;
    return answer.value;
  }

  /**
   * Whether it was closed, say by a proxy, while nobody needed it. A call must not find out by itself: its bytes would
   * still be accepted by this machine's kernel, and nobody could tell whether it was carried out.
   */
  diedIdle(): boolean {
    const idle = this.#waiting.size === 0 && performance.now() - this.#lastUsed > IDLE;
    return idle && !this.#link.quiet();
  }

  /** Frames as one packet, then what was detached of them. */
  #post(frames: readonly unknown[][], attempt: Attempt): void {
    const detached: { id: number; bytes: Uint8Array }[] = [];
    const encoded = frames.map((frame) =>
      encodeFrame(frame, (bytes) => {
        const id = this.#nextStream;
        this.#nextStream += 2;
        detached.push({ id, bytes });
        return id;
      }),
    );
    const total = encoded.reduce((sum, { length }) => sum + length, 0);
    this.#transmit(Kind.RPC, joinFrames(encoded, total), undefined, attempt);
    for (const { id, bytes } of detached) this.#sendAttachment(id, bytes, attempt);
  }

  #sendAttachment(id: number, bytes: Uint8Array, attempt: Attempt): void {
    const head = Buffer.allocUnsafe(4);
    head.writeUInt32LE(id, 0);
    for (let at = 0; at < bytes.length; at += Limit.DATA)
      this.#transmit(Kind.DATA, head, bytes.subarray(at, at + Limit.DATA), attempt);
    this.#transmit(Kind.END, head, undefined, attempt);
  }

  #transmit(kind: number, head: Uint8Array, tail: Uint8Array | undefined, attempt: Attempt): void {
    try {
      this.#link.send(kind, head, tail);
      attempt.sent = true;
    } catch (error) {
      attempt.linkFailed = true;
      throw error;
    }
  }

  /** Takes one packet and does what it asks. */
  #step(attempt: Attempt): void {
    let packet: BlockingPacket;
    try {
      if (this.#failure !== undefined) throw this.#failure;
      packet = this.#link.receive();
    } catch (error) {
      // A far side in this very thread cannot answer: the link is whole, the call is not possible.
      attempt.linkFailed = (error as { code?: string }).code !== 'ERR_ELSEWHERE_SYNC_DEADLOCK';
      throw error;
    }
    try {
      this.#handle(packet, attempt);
    } catch (error) {
      attempt.linkFailed = true;
      throw error;
    }
  }

  #handle({ kind, body }: BlockingPacket, attempt: Attempt): void {
    if (kind === Kind.PING) return this.#transmit(Kind.PONG, body, undefined, attempt);
    if (kind < FIRST_SEQUENCED || kind === Kind.CREDIT) return;
    if (kind === Kind.RPC) return this.#frames(body, attempt);
    if (kind === Kind.GOAWAY) {
      this.#failure = new ElsewhereError(
        'ERR_ELSEWHERE_CONNECTION_LOST',
        `the agent closed the connection: ${Buffer.from(body).toString()}`,
      );
      return;
    }
    const view = Buffer.from(body.buffer, body.byteOffset, body.length);
    const id = view.length < 4 ? -1 : view.readUInt32LE(0);
    if (!this.#inbox.has(id)) throw protocolError('stream data on the sync lane');
    if (kind === Kind.DATA) this.#inbox.data(id, view.subarray(4));
    else if (kind === Kind.END) this.#inbox.end(id);
  }

  #frames(body: Uint8Array, attempt: Attempt): void {
    for (const frame of decodeFrames(body)) {
      const head = frame instanceof PendingFrame ? frame.head : frame;
      if (head[0] === Op.CALL) head[2] = this.#inNames.resolve(head[2]);
      if (head[0] === Op.NOTIFY) head[1] = this.#inNames.resolve(head[1]);
      if (frame instanceof PendingFrame)
        this.#inbox.expect(frame, (whole) => this.#frame(whole, attempt));
      else this.#frame(frame, attempt);
    }
  }

  #frame(frame: unknown[], attempt: Attempt): void {
    const id = frame[1] as number;
    switch (frame[0]) {
      case Op.RETURN:
        return this.#answered(id, { value: frame[2] });
      case Op.THROW:
        return this.#answered(id, { error: frame[2] });
      case Op.CALL:
        return this.#serve(id, frame[2] as string, frame[3] as unknown[], attempt);
      case Op.NOTIFY:
        return void this.#options.serve(frame[1] as string, frame[2] as unknown[]);
      case Op.CANCEL:
        return;
      default:
        throw protocolError(`a frame that has no place on the sync lane (${String(frame[0])})`);
    }
  }

  #answered(id: number, answer: Answer): void {
    if (this.#waiting.has(id)) this.#answers.set(id, answer);
    // A call that was given up as a deadlock may be answered late.
    else if (id >= this.#nextId) throw protocolError('an answer to a call that was not made');
  }

  #serve(id: number, method: string, args: unknown[], attempt: Attempt): void {
    let frame: unknown[];
    try {
      const value = this.#options.serve(method, args);
      if (value instanceof Promise) throw deadlock(method);
      frame = [Op.RETURN, id, value];
    } catch (error) {
      frame = [Op.THROW, id, error];
    }
    this.#post([frame], attempt);
  }

  close(): void {
    this.#link.close();
  }
}

function handshake(
  link: BlockingLink,
  steps: Generator<HandshakeStep, PeerInfo, HandshakePacket>,
): PeerInfo {
  let step = steps.next();
  while (step.done !== true) {
    if (step.value === 'receive') {
      step = steps.next(link.receive());
    } else {
      link.send(step.value.send.kind, step.value.send.body);
      step = steps.next();
    }
  }
  return step.value;
}

function deadlock(method: string): ElsewhereError {
  return new ElsewhereError(
    'ERR_ELSEWHERE_SYNC_DEADLOCK',
    `${method} answers later, but this thread is blocked in a call of its own: use the asynchronous form of that call`,
  );
}

function lost(method: string, maybeExecuted: boolean, cause: unknown): ElsewhereError {
  const why = cause instanceof Error ? cause.message : String(cause);
  const fate = maybeExecuted ? 'the far side may have carried it out' : 'it was never sent';
  return new ElsewhereError(
    'ERR_ELSEWHERE_CONNECTION_LOST',
    `${method} got no answer: ${why}; ${fate}`,
    { cause, maybeExecuted },
  );
}

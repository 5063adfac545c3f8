/**
 * Blocking calls: a second link of the same session, on which this very thread waits for the answer. While it waits it
 * serves the calls that the far side makes back, nested as deep as they come.
 */
import { ElsewhereError } from '../base/errors.ts';
import { giveBack } from '../base/spare-memory.ts';
import { decodeFrames, encodeFrame, joinFrames, PendingFrame } from '../wire/codec.ts';
import { streamHead } from '../wire/frame.ts';
import { Kind, Limit, Op } from '../wire/message.ts';
import { AttachmentInbox } from './attachments.ts';
import type { BlockingPacket } from './blocking.ts';
import { tooMuch } from './calls.ts';
import { BARRIER } from './incoming-calls.ts';
import { LastingLink, type LinkOpener } from './lasting-link.ts';
import { MethodNames } from './method-names.ts';
import { BEHIND } from './peer.ts';
import { protocolError } from './protocol-error.ts';

export interface SyncLaneOptions extends LinkOpener {
  /** Calls that the far side makes back while we are blocked. */
  serve(method: string, args: unknown[]): unknown;
  /** Sequenced packets of the main lane that the kernel has: what a blocking call must not overtake. */
  barrier(): number;
  /**
   * The peer waits for what was sent on the main lane, whose link it has or has not: blocks until it has all, unless that
   * comes by itself.
   */
  catchUp(linked: boolean): void;
  /** The session is lost, and this is why. */
  lost(error: unknown): void;
}

interface Waiting {
  readonly method: string;
  /** The number of its last packet. */
  readonly packet: number;
  /** Bytes that the byte arrays of its answer may have together. */
  readonly most: number;
}

type Answer = { readonly error: unknown } | { readonly value: unknown };

export class SyncLane {
  readonly #options: SyncLaneOptions;
  readonly #link: LastingLink;
  readonly #outNames = new MethodNames();
  readonly #inNames = new MethodNames();
  readonly #inbox = new AttachmentInbox();
  /** Answers of outer calls that came while an inner one waited. */
  readonly #answers = new Map<number, Answer>();
  /** The calls that wait. */
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 0;
  #nextStream = 1;
  #barrier = 0;
  #goAway: string | undefined;
  #closed = false;

  constructor(options: SyncLaneOptions) {
    this.#options = options;
    this.#link = new LastingLink(options);
  }

  /** Opens the link now. */
  connect(): void {
    this.#link.connect();
  }

  /** Blocks until the answer is there, over as many links as it takes. */
  call(method: string, args: readonly unknown[], most: number = Number.POSITIVE_INFINITY): unknown {
    if (this.#closed) throw closed(method);
    // A first link that cannot be had is its own failure: nothing is lost.
    this.#link.connect();
    const barrier = this.#options.barrier();
    const behind = barrier > this.#barrier;
    const id = this.#nextId++;
    const frames: unknown[][] = [];
    if (behind) frames.push([Op.NOTIFY, this.#outNames.short(BARRIER), [barrier]]);
    frames.push([Op.CALL, id, this.#outNames.short(method), args]);
    // A value that cannot travel throws here and leaves nothing behind.
    const encoded = this.#encode(frames);
    if (behind) this.#outNames.sent(BARRIER);
    this.#outNames.sent(method);
    this.#barrier = barrier;
    const first = this.#link.sent + 1;
    try {
      this.#post(encoded);
      return this.#answer(id, { method, packet: this.#link.sent, most });
    } catch (error) {
      if (!(error instanceof LinkFailure)) throw error;
      const reason = error.cause;
      if (isDeadlock(reason)) throw reason;
      this.#options.lost(reason);
      throw lost(method, this.#link.handed >= first, reason);
    }
  }

  #answer(id: number, waiting: Waiting): unknown {
    this.#waiting.set(id, waiting);
    try {
      // What the far side has asked meanwhile may be on its way still, in pieces: it is served before we go on.
      while (!this.#answers.has(id) || this.#inbox.size > 0) this.#step();
    } finally {
      this.#waiting.delete(id);
    }
    const answer = this.#answers.get(id) as Answer;
    this.#answers.delete(id);
    if ('error' in answer) throw answer.error;
    return answer.value;
  }

  /** Frames as the body of one packet, and what was detached of them. */
  #encode(frames: readonly unknown[][]): Encoded {
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
    return { body: joinFrames(encoded, total), detached };
  }

  #post({ body, detached }: Encoded): void {
    this.#send(Kind.RPC, body);
    for (const { id, bytes } of detached) {
      const head = streamHead(id);
      for (let at = 0; at < bytes.length; at += Limit.DATA)
        this.#send(Kind.DATA, head, bytes.subarray(at, at + Limit.DATA));
      this.#send(Kind.END, head);
    }
  }

  #send(kind: number, head: Uint8Array, tail?: Uint8Array): void {
    this.#linked(() => this.#link.send(kind, head, tail));
  }

  #linked<R>(work: () => R): R {
    try {
      return work();
    } catch (error) {
      throw new LinkFailure(error);
    }
  }

  /** Takes one packet and does what it asks. */
  #step(): void {
    if (this.#goAway !== undefined) throw new LinkFailure(leaving(this.#goAway));
    const packet = this.#linked(() => this.#link.receive());
    try {
      this.#handle(packet);
    } catch (error) {
      throw error instanceof LinkFailure ? error : new LinkFailure(error);
    }
    this.#link.settle();
  }

  #handle({ kind, body }: BlockingPacket): void {
    if (kind === Kind.RPC) return this.#frames(body);
    if (kind === Kind.GOAWAY) {
      this.#goAway = Buffer.from(body).toString();
      return;
    }
    const view = Buffer.from(body.buffer, body.byteOffset, body.length);
    const id = view.length < 4 ? -1 : view.readUInt32LE(0);
    if (!this.#inbox.has(id)) throw protocolError('stream data on the sync lane');
    if (kind === Kind.DATA) {
      this.#inbox.data(id, view.subarray(4));
      giveBack(body);
    }
    if (kind === Kind.END) this.#inbox.end(id);
  }

  #frames(body: Uint8Array): void {
    for (const frame of decodeFrames(body)) {
      this.#inNames.resolveIn(frame instanceof PendingFrame ? frame.head : frame);
      if (frame instanceof PendingFrame) this.#expect(frame);
      else this.#frame(frame);
    }
  }

  #expect(frame: PendingFrame): void {
    const [op, id] = frame.head;
    const call = op === Op.RETURN || op === Op.THROW ? this.#waiting.get(id as number) : undefined;
    if (call !== undefined && frame.size > call.most)
      throw tooMuch(call.method, frame.size, call.most);
    this.#inbox.expect(frame, (whole) => this.#frame(whole));
  }

  #frame(frame: unknown[]): void {
    const id = frame[1] as number;
    switch (frame[0]) {
      case Op.RETURN:
        return this.#answered(id, { value: frame[2] });
      case Op.THROW:
        return this.#answered(id, { error: frame[2] });
      case Op.CALL:
        return this.#serve(id, frame[2] as string, frame.at(-1) as unknown[]);
      case Op.NOTIFY:
        if (frame[1] === BEHIND) return this.#options.catchUp((frame[2] as unknown[])[0] === true);
        return void this.#options.serve(frame[1] as string, frame[2] as unknown[]);
      case Op.CANCEL:
        return;
      default:
        throw protocolError(`a frame that has no place on the sync lane (${String(frame[0])})`);
    }
  }

  #answered(id: number, answer: Answer): void {
    const call = this.#waiting.get(id);
    if (call !== undefined) {
      // It has the call, and so all before it.
      this.#link.arrived(call.packet);
      this.#answers.set(id, answer);
    }
    // A call that was given up as a deadlock may be answered late.
    else if (id >= this.#nextId) throw protocolError('an answer to a call that was not made');
  }

  #serve(id: number, method: string, args: unknown[]): void {
    let answer: Encoded;
    try {
      const value = this.#options.serve(method, args);
      if (value instanceof Promise) throw deadlock(method);
      // A result that cannot travel is the call's failure, not the link's.
      answer = this.#encode([[Op.RETURN, id, value]]);
    } catch (error) {
      if (error instanceof LinkFailure) throw error;
      answer = this.#encode([[Op.THROW, id, error]]);
    }
    this.#postBarrier();
    this.#post(answer);
  }

  /** What was sent on the main lane meanwhile may be what the far side waits for. */
  #postBarrier(): void {
    const barrier = this.#linked(() => this.#options.barrier());
    if (barrier <= this.#barrier) return;
    const encoded = this.#encode([[Op.NOTIFY, this.#outNames.short(BARRIER), [barrier]]]);
    this.#outNames.sent(BARRIER);
    this.#barrier = barrier;
    this.#post(encoded);
  }

  farewell(reason: string): void {
    if (!this.#closed) this.#link.farewell(reason);
  }

  close(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#link.close(reason);
  }
}

interface Encoded {
  readonly body: Uint8Array;
  readonly detached: readonly { readonly id: number; readonly bytes: Uint8Array }[];
}

/** The link, not the far side's handler, made a call fail. */
class LinkFailure extends Error {
  override readonly cause: unknown;
  constructor(cause: unknown) {
    super();
    this.cause = cause;
  }
}

/** A far side in this very thread cannot answer: the link is whole, the call is not possible. */
function isDeadlock(error: unknown): boolean {
  return (error as { code?: unknown }).code === 'ERR_ELSEWHERE_SYNC_DEADLOCK';
}

function closed(method: string): ElsewhereError {
  return new ElsewhereError(
    'ERR_ELSEWHERE_CLOSED',
    `${method} was not sent: the connection is closed`,
    { maybeExecuted: false },
  );
}

function leaving(reason: string): ElsewhereError {
  return new ElsewhereError(
    'ERR_ELSEWHERE_CONNECTION_LOST',
    `the agent closed the connection: ${reason}`,
  );
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

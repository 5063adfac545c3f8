/**
 * A blocking link that lasts: when its socket is lost it blocks until another one is there, and sends again what did not
 * arrive. Above it there is only one endless link. It knows nothing of calls.
 */
import { runLocally } from '../base/context.ts';
import { ElsewhereError } from '../base/errors.ts';
import { FIRST_SEQUENCED, Kind } from '../wire/message.ts';
import type { BlockingLink, BlockingPacket, Watch } from './blocking.ts';
import type { HandshakePacket, HandshakeStep, LaneWelcome } from './handshake-steps.ts';
import { waitingHeartbeat } from './heartbeat.ts';
import { Receipts, readReceipt } from './receipts.ts';
import { isFinal, type Persistence, persist } from './redial.ts';
import { ReplayRing } from './replay-ring.ts';

export interface LinkOpener extends Persistence {
  /** Milliseconds for a handshake. */
  readonly timeout: number;
  /** Milliseconds between heartbeats while the link is waited on, as in heartbeat.ts. 0: none. */
  readonly heartbeat: number;
  /**
   * Whether the agent runs on this machine, which then tells of its end: a link whose watch is dear does without. Asked
   * after a handshake.
   */
  isNear(): boolean;
  /** Dials; may block. */
  open(): BlockingLink;
  /** `received` is how many sequenced packets of the peer have come. */
  handshake(received: number): Generator<HandshakeStep, LaneWelcome, HandshakePacket>;
}

interface OpenLink {
  readonly link: BlockingLink;
  readonly welcome: LaneWelcome;
}

/** Dials and shakes hands, as local code: in a scope its own look at a file would be a blocking call again. Throws what either throws. */
export function openLink(opener: LinkOpener, received: number): OpenLink {
  return runLocally(() => dialAndGreet(opener, received));
}

function dialAndGreet(opener: LinkOpener, received: number): OpenLink {
  const link = opener.open();
  try {
    link.watch(deadline(opener.timeout));
    const welcome = drive(link, opener.handshake(received));
    link.watch(heartbeatOf(link, opener));
    return { link, welcome };
  } catch (error) {
    link.close();
    throw error;
  }
}

function heartbeatOf(link: BlockingLink, { heartbeat, isNear }: LinkOpener): Watch | undefined {
  if (heartbeat === 0 || (link.dearWatch && isNear())) return undefined;
  return waitingHeartbeat((payload) => link.send(Kind.PING, payload), heartbeat);
}

/** For a handshake, in which nothing can be asked. */
function deadline(timeout: number): Watch {
  return {
    period: timeout,
    looks: 1,
    ask: () => undefined,
    error: () =>
      new ElsewhereError(
        'ERR_ELSEWHERE_TIMEOUT',
        `the agent did not answer in the handshake of a blocking link within ${timeout / 1000} s`,
      ),
  };
}

export class LastingLink {
  readonly #options: LinkOpener;
  readonly #ring = new ReplayRing();
  readonly #receipts = new Receipts((body) => this.#tell(Kind.ACK, body));
  #link: BlockingLink | undefined;
  #connected = false;
  /** The newest packet that a link has taken, be it lost on the way. */
  handed = 0;

  constructor(options: LinkOpener) {
    this.#options = options;
  }

  /** Sequenced packets made so far. */
  get sent(): number {
    return this.#ring.pushed;
  }

  /** Opens the first link. Throws what the last attempt throws. */
  connect(): void {
    if (!this.#connected) persist((advanced) => this.#dial(advanced), this.#options);
  }

  #dial(advanced: () => void): void {
    const { link, welcome } = openLink(this.#options, this.#receipts.count);
    if (welcome.received > this.#ring.freed) advanced();
    try {
      this.#ring.free(welcome.received);
      this.#receipts.told();
      for (const { kind, head, tail } of this.#ring) link.send(kind, head, tail);
    } catch (error) {
      link.close();
      throw error;
    }
    this.#link = link;
    this.#connected = true;
    this.handed = this.#ring.pushed;
  }

  /** Blocks until the packet is with the kernel. Throws when the session is lost. */
  send(kind: number, head: Uint8Array, tail?: Uint8Array): void {
    this.connect();
    this.#ring.push(kind, head, tail);
    const link = this.#link;
    if (link === undefined) return;
    try {
      link.send(kind, head, tail);
      this.handed = this.#ring.pushed;
    } catch (error) {
      this.#recover(error);
    }
  }

  /** The peer has answered something that it can only know by the first `count` packets. */
  arrived(count: number): void {
    if (count > this.#ring.freed) this.#ring.free(count);
  }

  /** Blocks until a sequenced packet is there. Throws when the session is lost. */
  receive(): BlockingPacket {
    for (;;) {
      const packet = this.#next();
      if (packet === undefined) continue;
      if (packet.kind >= FIRST_SEQUENCED) {
        this.#receipts.add(packet.body.length);
        return packet;
      }
      if (packet.kind === Kind.PING) this.#tell(Kind.PONG, packet.body);
      else if (packet.kind === Kind.ACK) this.#ring.free(readReceipt(packet.body));
    }
  }

  /** A packet that `receive` gave was dealt with. */
  settle(): void {
    this.#receipts.settle();
  }

  #next(): BlockingPacket | undefined {
    try {
      if (this.#link === undefined) this.#dial(() => undefined);
      return this.#link?.receive();
    } catch (error) {
      this.#recover(error);
      return undefined;
    }
  }

  /** About this link only: not kept, and its loss shows at the next packet. */
  #tell(kind: number, body: Uint8Array): void {
    try {
      this.#link?.send(kind, body);
    } catch {
      this.#drop();
    }
  }

  #drop(): void {
    this.#link?.close();
    this.#link = undefined;
  }

  /** Blocks until there is a link again that has all we sent. Throws the last reason when that takes too long. */
  #recover(reason: unknown): void {
    if (isFinal(reason)) throw reason;
    this.#drop();
    persist((advanced) => this.#dial(advanced), this.#options);
  }

  /** Tells the peer, if the link still stands, that this end will not come back. It may be used until it ends. */
  farewell(reason: string): void {
    if (this.#link === undefined) return;
    const body = Buffer.from(reason);
    this.#ring.push(Kind.GOAWAY, body, undefined);
    this.#tell(Kind.GOAWAY, body);
  }

  close(reason: string): void {
    this.farewell(reason);
    this.#receipts.told();
    this.#drop();
    this.#ring.clear();
  }
}

function drive<R>(link: BlockingLink, steps: Generator<HandshakeStep, R, HandshakePacket>): R {
  let step = steps.next();
  while (step.done !== true) {
    if (step.value === 'receive') {
      const packet = link.receive();
      // Of a busy agent whose other links share the pipe of this one.
      if (packet.kind !== Kind.ALIVE) step = steps.next(packet);
    } else {
      link.send(step.value.send.kind, step.value.send.body);
      step = steps.next();
    }
  }
  return step.value;
}

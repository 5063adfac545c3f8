/**
 * Brings the peer up to date while this thread is blocked. A blocking call must not overtake what was sent on the main
 * lane before it; when the main lane's link is lost, the event loop that would dial it again is the one that waits.
 */
import { Kind } from '../wire/message.ts';
import type { BlockingLink } from './blocking.ts';
import type { Lane } from './lane.ts';
import { type LinkOpener, openLink } from './lasting-link.ts';
import { readReceipt } from './receipts.ts';
import { persist } from './redial.ts';

/** Returns when the peer has all that was sent on the lane: over a blocking link of its own, unless it has it already. */
export function catchUp(lane: Lane, opener: LinkOpener): void {
  lane.flush();
  if (lane.acknowledged === lane.sent) return;
  persist((advanced) => {
    const { link, welcome } = openLink(opener, lane.received);
    if (welcome.received > lane.acknowledged) advanced();
    try {
      const last = lane.replay(welcome.received, (packet) =>
        link.send(packet.kind, packet.head, packet.tail),
      );
      for (let known = welcome.received; known < last; ) {
        const { kind, body } = link.receive();
        if (kind === Kind.ACK) known = readReceipt(body);
        else if (kind === Kind.PING) link.send(Kind.PONG, body);
      }
      lane.confirm(last);
    } finally {
      link.close();
    }
  }, opener);
}

/**
 * While the lane has no link and the event loop that dials it is blocked, what was sent there in the meantime travels on a
 * blocking link, which stays until the lane has one of its own. The peer takes it for the lane's link, and keeps its answers
 * for the next.
 */
export class Courier {
  readonly #lane: Lane;
  readonly #opener: LinkOpener;
  #link: BlockingLink | undefined;

  constructor(lane: Lane, opener: LinkOpener) {
    this.#lane = lane;
    this.#opener = opener;
  }

  /** Brings what no link has taken yet. Blocks; throws if there is no way. */
  carry(): void {
    const lane = this.#lane;
    lane.flush();
    if (lane.transport !== undefined || lane.sent === lane.handed) return;
    if (this.#link === undefined) return persist(() => this.#open(), this.#opener);
    try {
      lane.forward((packet) => this.#link?.send(packet.kind, packet.head, packet.tail));
    } catch {
      // The barrier of the call makes the peer say that it lacks something.
      this.dismiss();
    }
  }

  #open(): void {
    const { link, welcome } = openLink(this.#opener, this.#lane.received);
    try {
      this.#lane.replay(welcome.received, (packet) =>
        link.send(packet.kind, packet.head, packet.tail),
      );
    } catch (error) {
      link.close();
      throw error;
    }
    this.#link = link;
  }

  /** The lane has a link again, or needs none any more. */
  dismiss(): void {
    this.#link?.close();
    this.#link = undefined;
  }
}

/**
 * Brings the peer up to date while this thread is blocked. A blocking call must not overtake what was sent on the main
 * lane before it; when the main lane's link is lost, the event loop that would dial it again is the one that waits.
 */
import { Kind } from '../wire/message.ts';
import type { Lane } from './lane.ts';
import { type LinkOpener, openLink } from './lasting-link.ts';
import { readReceipt } from './receipts.ts';
import { persist } from './redial.ts';

/** Sends the lane's kept packets over a blocking link of its own, and returns when the peer has them. */
export function catchUp(lane: Lane, opener: LinkOpener): void {
  persist(() => {
    const { link, welcome } = openLink(opener, lane.received);
    try {
      const last = lane.replay(welcome.received, (packet) =>
        link.send(packet.kind, packet.head, packet.tail),
      );
      // What it sends us is not counted as received, so it comes again on the lane's next link.
      for (let known = welcome.received; known < last; ) {
        const { kind, body } = link.receive();
        if (kind === Kind.ACK) known = readReceipt(body);
        else if (kind === Kind.PING) link.send(Kind.PONG, body);
      }
    } finally {
      link.close();
    }
  }, opener);
}

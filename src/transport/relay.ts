/** Hands everything that one transport brings on to another one, and each one's end. */

import { MAX_PACKET } from '../wire/message.ts';
import type { Transport } from './transport.ts';

/** The sizes of packets are judged by who reads them in the end. */
export function relay(one: Transport, other: Transport): void {
  handOn(one, other);
  handOn(other, one);
}

function handOn(from: Transport, to: Transport): void {
  from.setLimit(MAX_PACKET);
  from.events = {
    packet: (kind, body, owned) => {
      if (!to.send(kind, owned ? body : Buffer.from(body))) from.pause();
    },
    // What `from` has sent is what `to` has read.
    drain: () => to.resume(),
    close: (error) => (error === undefined ? to.close() : to.destroy(error)),
  };
}

/** Hands everything that one transport brings on to another one, and each one's end. */

import { MAX_PACKET } from '../wire/message.ts';
import type { Transport } from './transport.ts';

/** The sizes of packets are judged by who reads them in the end. `onEnd` is called when `one` is over. */
export function relay(one: Transport, other: Transport, onEnd?: () => void): void {
  handOn(one, other, onEnd);
  handOn(other, one);
}

function handOn(from: Transport, to: Transport, onEnd?: () => void): void {
  from.setLimit(MAX_PACKET);
  from.events = {
    packet: (kind, body, owned) => {
      if (!to.send(kind, owned ? body : Buffer.from(body))) from.pause();
    },
    // What `from` has sent is what `to` has read.
    drain: () => to.resume(),
    close: (error) => {
      if (error === undefined) to.close();
      else to.destroy(error);
      onEnd?.();
    },
  };
}

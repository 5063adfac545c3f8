/**
 * A link whose other end reads only acknowledgements: a blocked thread brings over it what its peer lacks. What is sent
 * here would be thrown away, so it waits for the next link, which gets all that was not received.
 */
import { FIRST_SEQUENCED } from '../wire/message.ts';
import type { Transport, TransportEvents } from './transport.ts';

export function oneWay(transport: Transport): Transport {
  return {
    description: transport.description,
    remote: transport.remote,
    get buffered() {
      return transport.buffered;
    },
    get bytesRead() {
      return transport.bytesRead as number;
    },
    get events(): TransportEvents | undefined {
      return transport.events;
    },
    set events(events) {
      transport.events = events;
    },
    // Full for good, as it looks to who has something to send.
    send: (kind, head, tail) => kind < FIRST_SEQUENCED && transport.send(kind, head, tail),
    signsOfLife: (interval) => transport.signsOfLife?.(interval),
    setLimit: (bytes) => transport.setLimit(bytes),
    pause: () => transport.pause(),
    resume: () => transport.resume(),
    close: () => transport.close(),
    destroy: (error) => transport.destroy(error),
    ref: () => transport.ref(),
    unref: () => transport.unref(),
  };
}

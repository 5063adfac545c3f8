/**
 * A blocking link to a far side in this very thread: a packet sent is handled before `send` returns, so the answer is
 * there already, or can never come.
 */
import { runDetached } from '../base/context.ts';
import { ElsewhereError } from '../base/errors.ts';
import type { Transport, TransportEvents } from '../transport/transport.ts';
import type { BlockingLink, BlockingPacket } from './blocking.ts';

export function memoryBlockingLink(accept: (transport: Transport) => void): BlockingLink {
  const inbox: BlockingPacket[] = [];
  let closed = false;
  let events: TransportEvents | undefined;
  const kept: BlockingPacket[] = [];
  const transport: Transport = {
    description: 'memory',
    buffered: 0,
    remote: undefined,
    get events() {
      return events;
    },
    set events(owner) {
      events = owner;
      while (events !== undefined && kept.length > 0) {
        const { kind, body } = kept.shift() as BlockingPacket;
        events.packet(kind, body, true);
      }
    },
    send: (kind, head, tail) => {
      inbox.push({
        kind,
        body: tail === undefined ? Buffer.from(head) : Buffer.concat([head, tail]),
      });
      return true;
    },
    setLimit: () => undefined,
    pause: () => undefined,
    resume: () => undefined,
    close: () => end(),
    destroy: (error) => end(error),
    ref: () => undefined,
    unref: () => undefined,
  };
  const end = (error?: Error): void => {
    if (closed) return;
    closed = true;
    events?.close(error);
  };
  runDetached(() => accept(transport));
  return {
    send(kind, head, tail) {
      const body = tail === undefined ? Buffer.from(head) : Buffer.concat([head, tail]);
      if (events === undefined) kept.push({ kind, body });
      else runDetached(() => events?.packet(kind, body, true));
    },
    receive() {
      const packet = inbox.shift();
      if (packet !== undefined) return packet;
      throw closed
        ? new ElsewhereError(
            'ERR_ELSEWHERE_CONNECTION_LOST',
            'the far side closed the connection',
            { maybeExecuted: true },
          )
        : new ElsewhereError(
            'ERR_ELSEWHERE_SYNC_DEADLOCK',
            'the far side is in this same thread and its answer needs the event loop, which this blocking call holds: use the asynchronous form',
          );
    },
    // It never waits.
    dearWatch: false,
    watch: () => undefined,
    close: () => end(),
  };
}

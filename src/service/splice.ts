/** Makes one connection of two sockets: bytes both ways with back-pressure, half-open where one side has ended. */
import type { Socket } from 'node:net';
import { pour } from './pouring.ts';

/** Each side's end and failure is the other's. Both sockets must allow to be half-open. */
export function splice(one: Socket, other: Socket): void {
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    pour(from, to);
    from.on('error', () => breakOff(to));
    from.on('close', () => {
      // Without an end of its own: destroyed.
      if (!from.readableEnded) breakOff(to);
    });
  }
}

/** Ends a socket so that its peer notices that something is missing. */
export function breakOff(socket: Socket): void {
  if (socket.destroyed) return;
  if (socket.connecting || socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}

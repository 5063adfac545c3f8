/** How a packet leaves by a socket. */
import type { Socket } from 'node:net';

/** Bodies up to this size are copied behind their header: one write instead of two. */
const JOIN_LIMIT = 16 * 1024;

/** A large body leaves as it is, in one write with what stands before it. Returns what `socket.write` does. */
export function writePacket(
  socket: Socket,
  header: Uint8Array,
  head: Uint8Array,
  tail?: Uint8Array,
): boolean {
  if (head.length + (tail?.length ?? 0) <= JOIN_LIMIT)
    return socket.write(joined(header, head, tail));
  socket.cork();
  socket.write(tail === undefined ? header : Buffer.concat([header, head]));
  const more = socket.write(tail ?? head);
  socket.uncork();
  return more;
}

/** As Buffer.concat, which looks at more. */
function joined(header: Uint8Array, head: Uint8Array, tail: Uint8Array | undefined): Buffer {
  const start = header.length + head.length;
  const whole = Buffer.allocUnsafe(start + (tail?.length ?? 0));
  whole.set(header, 0);
  whole.set(head, header.length);
  if (tail !== undefined) whole.set(tail, start);
  return whole;
}

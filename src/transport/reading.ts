/** What a socket reads, into memory that is used again, and on to the reader of its packets. */
import type { Socket } from 'node:net';
import { readInto } from '../base/direct-reading.ts';
import type { PacketReader } from '../wire/frame.ts';

/** What all sockets of this thread read into, one read at a time: its bytes are dealt with before the next. */
const readings = Buffer.allocUnsafeSlow(256 * 1024);
/** Of a large packet only its beginning, so that the rest is read to where it belongs. */
const beginnings: Buffer = readings.subarray(0, 8 * 1024);

/** `failed` has what the reader throws. Returns what takes bytes that are read in another way. */
export function readPackets(
  socket: Socket,
  reader: PacketReader,
  failed: (error: Error) => void,
): (chunk: Uint8Array) => void {
  const read = (chunk: Uint8Array): void => {
    try {
      reader.push(chunk);
    } catch (error) {
      failed(error as Error);
    }
  };
  readInto(socket, {
    room: () => reader.room ?? (reader.expectsLarge ? beginnings : readings),
    filled: (bytes, room) => {
      if (room.buffer === readings.buffer) read(room.subarray(0, bytes));
      else reader.filled(bytes);
    },
  });
  socket.on('data', read);
  return read;
}

/**
 * Connect and first write in one flight. Node keeps what is written to a connecting socket until it is connected; over a
 * link that wait is a whole round trip, so the bytes are sent behind the request to connect, and the write that Node makes
 * once connected is taken as done. A socket that is destroyed before it connects may thus have sent its first write.
 */
import net from 'node:net';
import type { Installation } from './installation.ts';
import { inside } from './internals.ts';
import { linkOf } from './link.ts';

type Chunk = { readonly chunk: string | Uint8Array; readonly encoding: BufferEncoding };
type Data = string | Uint8Array | (Chunk[] & { allBuffers?: boolean });
type WriteGeneric = (
  this: net.Socket,
  writev: boolean,
  data: Data,
  encoding: BufferEncoding,
  done: unknown,
) => unknown;

/** More is not worth sending ahead of knowing whether anybody listens. */
const LIMIT = 64 * 1024;

export function installEarlyWrites({ context }: Installation): void {
  const prototype = net.Socket.prototype as unknown as { _writeGeneric: WriteGeneric };
  const original = prototype._writeGeneric;

  context.replace(
    prototype,
    '_writeGeneric',
    function _writeGeneric(this: net.Socket, writev, data, encoding, done) {
      if (this.connecting) sendEarly(this, data, encoding);
      return Reflect.apply(original, this, [writev, data, encoding, done]);
    },
  );
}

function sendEarly(socket: net.Socket, data: Data, encoding: BufferEncoding): void {
  const link = linkOf(inside(socket)._handle);
  if (link === undefined) return;
  const bytes = Array.isArray(data)
    ? Buffer.concat(data.map(({ chunk, encoding: own }) => bytesOf(chunk, own)))
    : bytesOf(data, encoding);
  if (bytes.length <= LIMIT) link.writeEarly(bytes);
}

/** A copy: the program may use its buffer again once its write is done, which can be before ours. */
function bytesOf(chunk: string | Uint8Array, encoding: BufferEncoding): Uint8Array {
  return typeof chunk === 'string' ? Buffer.from(chunk, encoding) : Buffer.from(chunk);
}

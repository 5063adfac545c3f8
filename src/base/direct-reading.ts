/**
 * Reads of a socket into memory of our choice. Node takes fresh memory for each read of a socket, which costs more than
 * the read itself. Its option `onread` chooses the memory, but only for sockets that a program dials: what it sets is found
 * on the living socket here, so that accepted sockets and TLS can have it too.
 */
import type { Socket } from 'node:net';

export interface ReadTarget {
  /** Where the next bytes go. It must stay theirs until `filled` is called or the socket is closed. */
  room(): Uint8Array;
  /** So many bytes have come into `room`, which the receiver may use again after this call. */
  filled(bytes: number, room: Uint8Array): void;
}

type Inside = Record<symbol, unknown>;
interface Handle {
  useUserBuffer?(buffer: Uint8Array): void;
}

interface Fields {
  readonly buffer: symbol;
  readonly callback: symbol;
  readonly generator: symbol;
}

let fields: Fields | undefined;

/**
 * From now on `target` has what arrives, in place of 'data', which brings what was read before. False where this Node
 * cannot do it, and on Windows, which fills the memory at any later time: then nothing changes.
 */
export function readInto(socket: Socket, target: ReadTarget): boolean {
  fields ??= fieldsOf(socket);
  if (fields === undefined || process.platform === 'win32') return false;
  const { _handle: handle } = socket as unknown as { _handle: Handle | null };
  if (handle !== null && handle.useUserBuffer === undefined) return false;
  const inside = socket as unknown as Inside;
  inside[fields.callback] = (bytes: number, room: Uint8Array): void => target.filled(bytes, room);
  inside[fields.generator] = () => target.room();
  // Without a handle Node asks for it when there is one.
  const room = handle === null ? true : target.room();
  inside[fields.buffer] = room;
  if (room !== true) handle?.useUserBuffer?.(room);
  return true;
}

function fieldsOf(socket: Socket): Fields | undefined {
  const symbols = Object.getOwnPropertySymbols(socket);
  const named = (name: string): symbol | undefined =>
    symbols.find(({ description }) => description === name);
  const [buffer, callback, generator] = ['kBuffer', 'kBufferCb', 'kBufferGen'].map(named);
  if (buffer === undefined || callback === undefined || generator === undefined) return undefined;
  return { buffer, callback, generator };
}

/**
 * Writes of `net.Socket`. The native half of JSStream would take fresh memory for a copy of each; here the copy goes into
 * memory that is used again once the far side has it. What Node's own code wants to know of a write is told as the native
 * half would. (TLS and HTTP/2 are native themselves, and go through that half.)
 */
import { AsyncResource } from 'node:async_hooks';
import { isInt32Array } from 'node:util/types';
import { nodeBinding } from '../../src/base/node-binding.ts';
import { lendRoomUntilSent } from '../../src/base/spare-memory.ts';

/** The largest piece. */
const PIECE = 256 * 1024;

/** The methods of a handle through which `net.Socket` writes, and the encoding of their text. */
export const WRITES: Readonly<Record<string, BufferEncoding | undefined>> = {
  writeBuffer: undefined,
  writev: undefined,
  writeUtf8String: 'utf8',
  writeAsciiString: 'ascii',
  writeLatin1String: 'latin1',
  writeUcs2String: 'ucs2',
};

/** Node's numbers about the last write, in which native code answers. */
export interface WriteState {
  readonly streamBaseState: Int32Array;
  readonly kBytesWritten: number;
  readonly kLastWriteWasAsync: number;
  /** From Node 26 on. */
  readonly kLastWriteErr?: number;
}

export function findWriteState(): WriteState | undefined {
  const found = nodeBinding<WriteState>('stream_wrap');
  // Not by `instanceof`: jest runs tests in a realm of their own.
  const isThere =
    isInt32Array(found?.streamBaseState) &&
    found !== undefined &&
    typeof found.kBytesWritten === 'number' &&
    typeof found.kLastWriteWasAsync === 'number';
  return isThere ? found : undefined;
}

/** What Node makes of a write; Node 26 fills it in when it knows that the write takes time. */
interface WriteRequest {
  oncomplete?(status: number, handle: object, error: undefined): void;
}

/** One write. */
export class OwnWrite {
  readonly #state: WriteState;
  readonly #request: WriteRequest;
  readonly #isNodes: boolean;
  #resource: AsyncResource | undefined;

  /** `request`: Node's own; null from Node 26 on, which wants one back if the write takes time. */
  constructor(state: WriteState, request: object | null) {
    this.#state = state;
    this.#isNodes = request !== null;
    this.#request = request ?? { writeStatus: null };
  }

  /** The answer for a write that is done, or refused with an error number. */
  over(length: number, status: number): unknown {
    this.#tell(length, false);
    return status;
  }

  /** The answer for one whose `complete` follows. */
  later(length: number): unknown {
    this.#tell(length, true);
    this.#resource = new AsyncResource('WRITEWRAP', { requireManualDestroy: true });
    return this.#isNodes ? 0 : this.#request;
  }

  #tell(length: number, isAsync: boolean): void {
    const { streamBaseState, kBytesWritten, kLastWriteWasAsync, kLastWriteErr } = this.#state;
    streamBaseState[kBytesWritten] = length;
    streamBaseState[kLastWriteWasAsync] = isAsync ? 1 : 0;
    if (kLastWriteErr !== undefined) streamBaseState[kLastWriteErr] = 0;
  }

  complete(status: number, handle: object): void {
    const { oncomplete } = this.#request;
    if (typeof oncomplete !== 'function') return;
    this.#resource?.runInAsyncScope(oncomplete, this.#request, status, handle, undefined);
    this.#resource?.emitDestroy();
  }
}

/** What one of the methods was told to write. */
export function bytesOf(method: string, data: unknown, allBuffers: unknown): Uint8Array[] {
  const encoding = WRITES[method];
  if (encoding !== undefined) return [Buffer.from(data as string, encoding)];
  if (method !== 'writev') return [checkedBuffer(data)];
  const chunks = data as (Uint8Array | string)[];
  if (allBuffers === true) return chunks as Uint8Array[];
  const buffers: Uint8Array[] = [];
  // Each is followed by its encoding.
  for (let i = 0; i < chunks.length; i += 2) {
    const chunk = chunks[i] as Uint8Array | string;
    const encoding = chunks[i + 1] as BufferEncoding;
    buffers.push(typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk);
  }
  return buffers;
}

/** The program's encoding was `buffer`, and what it wrote is text. In the words of Node's StreamBase::WriteBuffer. */
function checkedBuffer(data: unknown): Uint8Array {
  if (ArrayBuffer.isView(data)) return data as Uint8Array;
  const error = new TypeError('Second argument must be a buffer');
  throw Object.assign(error, { code: 'ERR_INVALID_ARG_TYPE' });
}

export function lengthOf(buffers: readonly Uint8Array[]): number {
  let total = 0;
  for (const { length } of buffers) total += length;
  return total;
}

/** The program may use its buffers again once its write is done, which can be before they have left. */
export function ownCopies(buffers: readonly Uint8Array[]): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let left = lengthOf(buffers);
  let piece: Uint8Array = Buffer.alloc(0);
  let at = 0;
  for (const buffer of buffers) {
    for (let from = 0; from < buffer.length; ) {
      if (at === piece.length) {
        piece = lendRoomUntilSent(Math.min(left, PIECE));
        pieces.push(piece);
        left -= piece.length;
        at = 0;
      }
      const part = buffer.subarray(from, from + piece.length - at);
      piece.set(part, at);
      at += part.length;
      from += part.length;
    }
  }
  return pieces;
}

/** Between what travels and what lib/fs.js expects of its binding. */
import type { Listing } from './api.ts';

export const STAT_FIELDS = 18;

/** lib/internal/fs/utils.js makes the real Stats or BigIntStats of it. */
export function statArray(bytes: Uint8Array, bigint: boolean): BigInt64Array | Float64Array {
  const copy = bytes.buffer.slice(
    bytes.byteOffset,
    bytes.byteOffset + STAT_FIELDS * 8,
  ) as ArrayBuffer;
  const values = new BigInt64Array(copy);
  return bigint ? values : Float64Array.from(values, Number);
}

/** Text in the encoding the caller asked for; the far side always sends bytes. */
export function encoded(bytes: Uint8Array, encoding: unknown): string | Buffer {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (encoding === 'buffer') return buffer;
  return buffer.toString((encoding ?? 'utf8') as BufferEncoding);
}

/** `[names, types]`, or only the names. */
export function listing({ names, types }: Listing, encoding: unknown, withTypes: boolean): unknown {
  const list = splitNames(names, types.length).map((name) => encoded(name, encoding));
  return withTypes ? [list, [...types]] : list;
}

function splitNames(names: Uint8Array, count: number): Uint8Array[] {
  const list: Uint8Array[] = [];
  for (let at = 0; list.length < count; ) {
    const end = names.indexOf(0, at);
    list.push(names.subarray(at, end));
    at = end + 1;
  }
  return list;
}

/** Seven numbers, eight since 24.21 and 26 (frsize, which equals bsize where the far side does not tell it). */
export function statfsArray(
  values: readonly bigint[],
  bigint: boolean,
  length: number,
): BigInt64Array | Float64Array {
  const list = [...values];
  if (length === 8) list.splice(2, 0, values[1] as bigint);
  return bigint ? BigInt64Array.from(list) : Float64Array.from(list, Number);
}

/** The bytes of a write, in memory that the caller cannot change meanwhile. */
export function ownBytes(view: ArrayBufferView, offset: number, length: number): Buffer {
  return Buffer.from(Buffer.from(view.buffer, view.byteOffset + offset, length));
}

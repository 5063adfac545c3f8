/** What Node's own JavaScript expects of its binding: stats as arrays, directory entries as lists, text in any encoding. */
import { Dirent } from 'node:fs';
import type { Names, WireFileSystem, WireStats } from './api.ts';

/** Node makes a real `Stats` or `BigIntStats` of it, by the type of the array. */
export function statsArray(stats: WireStats, bigint: unknown): BigInt64Array | Float64Array {
  return bigint === true ? stats : inNumbers(stats);
}

/** More than twice as fast as `Float64Array.from`. */
function inNumbers(values: BigInt64Array): Float64Array {
  const numbers = new Float64Array(values.length);
  for (let i = 0; i < values.length; i++) numbers[i] = Number(values[i]);
  return numbers;
}

/** Older Nodes have no `frsize`, which is the third. */
export function fileSystemArray(
  values: WireFileSystem,
  bigint: unknown,
  length: number,
): BigInt64Array | Float64Array {
  const kept = length >= 8 ? values : values.filter((_value, index) => index !== 2);
  return bigint === true ? kept : inNumbers(kept);
}

/** Bytes of a path or name in the encoding that the caller asked for. */
export function decodeName(bytes: Uint8Array, encoding: unknown): string | Buffer {
  const buffer = asBuffer(bytes);
  if (encoding === 'buffer') return buffer;
  // Node takes the empty string, and others that are as good as nothing, for no encoding.
  return buffer.toString((encoding || 'utf8') as BufferEncoding);
}

/** Not in Node's types: how its own code makes them. */
export const Entry = Dirent as unknown as new (name: string, type: number, path: string) => Dirent;

/** Names that travel separated by NUL, which no name contains. */
export function decodeNames(names: Uint8Array, encoding: unknown): (string | Buffer)[] {
  if (names.length === 0) return [];
  if (!encoding || encoding === 'utf8' || encoding === 'utf-8') {
    return decodeName(names, 'utf8').toString().split('\0');
  }
  const list: (string | Buffer)[] = [];
  for (let start = 0; start <= names.length; ) {
    const found = names.indexOf(0, start);
    const end = found === -1 ? names.length : found;
    list.push(decodeName(names.subarray(start, end), encoding));
    start = end + 1;
  }
  return list;
}

export function encodeNames(names: readonly Uint8Array[]): Buffer {
  const parts: Uint8Array[] = [];
  const separator = Buffer.alloc(1);
  for (const name of names) parts.push(separator, name);
  return Buffer.concat(parts.slice(1));
}

/** What the binding's `readdir` returns. */
export function directoryList(
  [names, types]: Names,
  encoding: unknown,
): Text[] | [Text[], number[]] {
  const list = decodeNames(names, encoding);
  return types === undefined ? list : [list, [...types]];
}

type Text = string | Buffer;

/** What the binding's `readdirRecursive` returns with types: names, types, and how many of them are in which directory. */
export function groupedEntries(
  [names, types]: Names,
  encoding: unknown,
): [names: Text[], types: Uint8Array, counts: Uint32Array, directories: Text[]] {
  const directories = [''];
  const counts = [0];
  const last: Text[] = [];
  for (const path of decodeNames(names, 'latin1') as string[]) {
    const slash = path.lastIndexOf('/');
    const directory = path.slice(0, Math.max(slash, 0));
    if (directory !== directories.at(-1)) {
      directories.push(directory);
      counts.push(0);
    }
    counts[counts.length - 1] = (counts.at(-1) ?? 0) + 1;
    last.push(decodeName(Buffer.from(path.slice(slash + 1), 'latin1'), encoding));
  }
  const texts = directories.map((name) => decodeName(Buffer.from(name, 'latin1'), encoding));
  return [last, types ?? new Uint8Array(0), Uint32Array.from(counts), texts];
}

/** The same memory, with a Buffer's methods. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The bytes of any view. */
export function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

/** Values of the far side's `fs` as they travel. */
import fs from 'node:fs';
import type { Names, WireFileSystem, WirePath } from './api.ts';
import { encodeNames } from './values.ts';

export type Handlers<T> = {
  [K in keyof T]: T[K] extends (...args: infer A) => infer R
    ? (...args: A) => R | Promise<R>
    : never;
};

/** Bytes arrive as they are; Node wants a Buffer. */
export function pathLike(path: WirePath): string | Buffer {
  return typeof path === 'string' ? path : Buffer.from(path);
}

export function wireFileSystem(stats: fs.BigIntStatsFs): WireFileSystem {
  const { type, bsize, blocks, bfree, bavail, files, ffree } = stats;
  // Older Nodes do not tell the fragment size, which is the block size nearly everywhere.
  const frsize = (stats as { frsize?: bigint }).frsize ?? bsize;
  return BigInt64Array.from([type, bsize, frsize, blocks, bfree, bavail, files, ffree]);
}

const {
  UV_DIRENT_FILE,
  UV_DIRENT_DIR,
  UV_DIRENT_LINK,
  UV_DIRENT_FIFO,
  UV_DIRENT_SOCKET,
  UV_DIRENT_CHAR,
  UV_DIRENT_BLOCK,
} = fs.constants as unknown as Record<string, number>;

/** libuv's number of an entry's type: the same on all systems. */
export function entryType(entry: TypedEntry): number {
  if (entry.isFile()) return UV_DIRENT_FILE ?? 1;
  if (entry.isDirectory()) return UV_DIRENT_DIR ?? 2;
  if (entry.isSymbolicLink()) return UV_DIRENT_LINK ?? 3;
  if (entry.isFIFO()) return UV_DIRENT_FIFO ?? 4;
  if (entry.isSocket()) return UV_DIRENT_SOCKET ?? 5;
  if (entry.isCharacterDevice()) return UV_DIRENT_CHAR ?? 6;
  return entry.isBlockDevice() ? (UV_DIRENT_BLOCK ?? 7) : 0;
}

type TypedEntry = Pick<
  fs.Dirent,
  | 'isFile'
  | 'isDirectory'
  | 'isSymbolicLink'
  | 'isFIFO'
  | 'isSocket'
  | 'isCharacterDevice'
  | 'isBlockDevice'
>;

/** Entries whose names are bytes. */
export function wireEntries(
  entries: readonly (TypedEntry & { name: Uint8Array })[],
): [Uint8Array, Uint8Array] {
  return [encodeNames(entries.map(({ name }) => name)), Uint8Array.from(entries, entryType)];
}

export function wireNames(names: readonly Uint8Array[]): Names {
  return [encodeNames(names)];
}

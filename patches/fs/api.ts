/**
 * The operations of the fs patch on the wire, one interface for both halves. Flags are Linux's numbers on the wire
 * (flags.ts), errors travel by code, lists of names as one byte array: a call must stay below the size of a packet.
 */
import type { LocalContext, RemoteStream, Target } from '../../src/patch.ts';

/** As the caller gave it, made absolute; bytes where the caller gave bytes. */
export type WirePath = string | Uint8Array;

/** dev mode nlink uid gid rdev blksize ino size blocks, then seconds and nanoseconds of access, modification, change, birth. */
export type WireStats = BigInt64Array;

/** type bsize frsize blocks bfree bavail files ffree. */
export type WireFileSystem = BigInt64Array;

/** An open file. `stats` come along for a regular file that is only read, `head` is its whole content if it is small. */
export type Opened = readonly [
  id: number,
  stats?: WireStats | undefined,
  head?: Uint8Array | undefined,
];

/** The whole content; or, when that is too much for one answer, the open file to go on with. */
export type WholeFile = readonly [bytes: Uint8Array | undefined, opened?: Opened | undefined];

/** What is left of a file from its current position, and whether that was all. */
export type Rest = readonly [bytes: Uint8Array, end: boolean];

/** Names separated by NUL, and one byte for each name's type (libuv's numbers) when asked for. */
export type Names = readonly [names: Uint8Array, types?: Uint8Array | undefined];

/** The next entries of an open directory. `id` is there as long as there may be more. */
export type DirectoryPage = readonly [
  names: Uint8Array,
  types: Uint8Array,
  id?: number | undefined,
];

export interface RemoveOptions {
  readonly force: boolean;
  readonly maxRetries: number;
  readonly retryDelay: number;
}

export interface CopyOptions {
  readonly recursive: boolean;
  readonly force: boolean;
  readonly dereference: boolean;
  readonly errorOnExist: boolean;
  readonly verbatimSymlinks: boolean;
  readonly preserveTimestamps: boolean;
  readonly mode: number;
}

export interface FsApi {
  access(path: WirePath, mode: number): void;
  exists(path: WirePath): boolean;
  /** 0 for a file, 1 for a directory, negative when there is neither. */
  kind(path: WirePath): number;
  stat(path: WirePath): WireStats;
  lstat(path: WirePath): WireStats;
  statfs(path: WirePath): WireFileSystem;

  /** `closing` are files that the caller is done with: they are closed first. */
  open(
    path: WirePath,
    flags: number,
    mode: number,
    ahead: boolean,
    closing: readonly number[],
  ): Opened;
  close(id: number): void;
  /** Closes without an answer. */
  discard(ids: readonly number[]): void;
  fstat(id: number): WireStats;
  /** Position -1 is the current one. */
  read(id: number, length: number, position: number | bigint): Uint8Array;
  write(id: number, bytes: Uint8Array, position: number | bigint): number;
  ftruncate(id: number, length: number): void;
  fsync(id: number): void;
  fdatasync(id: number): void;
  fchmod(id: number, mode: number): void;
  fchown(id: number, uid: number, gid: number): void;
  futimes(id: number, atime: number, mtime: number): void;

  readFile(path: WirePath, flags: number): WholeFile;
  /** Moves the current position. */
  advance(id: number, count: number): void;
  /** Position -1 is the current one. */
  drain(id: number, position: number): Rest;
  writeFile(path: WirePath, flags: number, mode: number, bytes: Uint8Array): void;
  copyFile(from: WirePath, to: WirePath, mode: number): void;

  /**
   * The first directory that was made, undefined when all were there. `base` is the working directory of a relative
   * path: it is never made.
   */
  mkdir(path: WirePath, mode: number, recursive: boolean, base: string): Uint8Array | undefined;
  readdir(path: WirePath, withTypes: boolean): Names;
  /** Names are relative to `path`. Node's blocking form follows links where its others do not, so it is told apart. */
  readdirRecursive(path: WirePath, withTypes: boolean, blocking: boolean): Names;
  /**
   * Names as Node's own glob gives them, relative to `root` unless the pattern is absolute. With types each entry is its
   * name and the directory that it is in.
   */
  glob(patterns: readonly string[], root: string, options: GlobOptions): Names;
  opendir(path: WirePath, recursive: boolean): DirectoryPage;
  readDirectory(id: number): DirectoryPage;
  closeDirectory(id: number): void;
  mkdtemp(prefix: WirePath): Uint8Array;

  rename(from: WirePath, to: WirePath): void;
  link(existing: WirePath, path: WirePath): void;
  symlink(target: WirePath, path: WirePath, flags: number): void;
  unlink(path: WirePath): void;
  rmdir(path: WirePath): void;
  readlink(path: WirePath): Uint8Array;
  /** `native` is realpath(3); otherwise Node's own walk, whose errors name the component. */
  realpath(path: WirePath, native: boolean): Uint8Array;
  chmod(path: WirePath, mode: number): void;
  chown(path: WirePath, uid: number, gid: number): void;
  lchown(path: WirePath, uid: number, gid: number): void;
  utimes(path: WirePath, atime: number, mtime: number): void;
  lutimes(path: WirePath, atime: number, mtime: number): void;

  /** Starts to watch, so that failing to is known at once; what happens is told by the stream `watching`. */
  watch(path: WirePath, recursive: boolean): number;

  /** Removes a whole tree. */
  remove(path: WirePath, options: RemoveOptions): void;
  /** Copies a whole tree. */
  copyTree(from: WirePath, to: WirePath, options: CopyOptions): void;
  /** The three native steps of `cpSync` (Node 22 and later), by name. */
  copyStep(
    name: string,
    from: WirePath,
    to: WirePath,
    options: readonly (boolean | number)[],
  ): void;
}

export interface GlobOptions {
  readonly withTypes: boolean;
  /** Patterns too. */
  readonly exclude: readonly string[];
}

/** Signals of a watched file: an event, or the error code that ends it. Names are bytes, absent where the system has none. */
export type WatchSignal = readonly [event: string, name: Uint8Array | undefined] | string;

/** Signals of a polled file: the error code of its `stat` ('' for none), the stats now and before. */
export type PollSignal = readonly [code: string, current: WireStats, previous: WireStats];

/** Streams without bytes: the far side signals, this side closes. */
export interface FsStreams {
  /** What the watcher that `watch` started has to tell. */
  watching(stream: RemoteStream, id: number): void;
  polling(stream: RemoteStream, path: WirePath, interval: number): void;
}

export type FsTarget = Target<FsApi, FsStreams>;
export type FsContext = LocalContext<FsApi, FsStreams>;

/** At most this much of a file travels in one answer, so that neither side must hold a large file. */
export const MAX_PIECE: number = 8 * 1024 * 1024;
/** A file up to this size is sent along when it is opened, and is read without the thread pool. */
export const SMALL: number = 64 * 1024;

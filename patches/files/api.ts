/** The operations of the fs patch. Paths are absolute, as text or as bytes; numbers are those of the local system's fs. */

/** Text, or bytes for names that are no UTF-8. */
export type FsPath = string | Uint8Array;

/** What the far side tells of a file it has opened. */
export interface Opened {
  readonly fd: number;
  /** For regular files opened to read: the stat and the first bytes, so that reading a small file costs no more trips. */
  readonly ahead?: { readonly stat: Uint8Array; readonly bytes: Uint8Array; readonly end: boolean };
}

/** Names, NUL-separated, and the UV_DIRENT type of each, a byte each. */
export interface Listing {
  readonly names: Uint8Array;
  readonly types: Uint8Array;
}

/** A stat is 18 int64, little endian, in the order of lib/internal/fs/utils.js getStatsFromBinding. Times are seconds. */
export interface FsApi {
  access(path: FsPath, mode: number | undefined): void;
  exists(path: FsPath): boolean;
  stat(path: FsPath): Uint8Array;
  lstat(path: FsPath): Uint8Array;
  statfs(path: FsPath): bigint[];
  readdir(path: FsPath): Listing;
  mkdir(path: FsPath, mode: number, recursive: boolean): string | undefined;
  mkdtemp(prefix: FsPath): Uint8Array;
  rmdir(path: FsPath): void;
  rm(path: FsPath, maxRetries: number, recursive: boolean, retryDelay: number): void;
  unlink(path: FsPath): void;
  rename(from: FsPath, to: FsPath): void;
  link(from: FsPath, to: FsPath): void;
  symlink(content: FsPath, path: FsPath): void;
  readlink(path: FsPath): Uint8Array;
  realpath(path: FsPath): Uint8Array;
  chmod(path: FsPath, mode: number): void;
  chown(path: FsPath, uid: number, gid: number): void;
  lchown(path: FsPath, uid: number, gid: number): void;
  utimes(path: FsPath, atime: number, mtime: number): void;
  lutimes(path: FsPath, atime: number, mtime: number): void;
  copyFile(from: FsPath, to: FsPath, mode: number): void | Promise<void>;
  cp(from: FsPath, to: FsPath, options: Readonly<Record<string, unknown>>): void | Promise<void>;

  readFile(path: FsPath, flags: number): Uint8Array | Promise<Uint8Array>;
  writeFile(path: FsPath, bytes: Uint8Array, flags: number, mode: number): void | Promise<void>;

  open(path: FsPath, flags: number, mode: number): Opened | Promise<Opened>;
  close(fd: number): void;
  /** `skip`: bytes that were served from what `open` gave, which the descriptor's position must pass first. */
  read(
    fd: number,
    length: number,
    position: number | bigint,
    skip: number,
  ): Uint8Array | Promise<Uint8Array>;
  write(fd: number, bytes: Uint8Array, position: number | null): number | Promise<number>;
  readRest(fd: number): Uint8Array | Promise<Uint8Array>;
  fstat(fd: number): Uint8Array;
  ftruncate(fd: number, length: number): void;
  fsync(fd: number): void | Promise<void>;
  fdatasync(fd: number): void | Promise<void>;
  fchmod(fd: number, mode: number): void;
  fchown(fd: number, uid: number, gid: number): void;
  futimes(fd: number, atime: number, mtime: number): void;
}

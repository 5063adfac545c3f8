/** The files that one client holds open here, and reading and writing of whole files. */
import fs from 'node:fs';
import type { Opened } from './api.ts';
import { packStat } from './remote-stat.ts';

/** Read along with `open`, and read at once rather than in the thread pool. */
const SMALL = 64 * 1024;
const MAX_READ = 4 * 1024 * 1024;
const ACCESS_MODE = 3;
/** As lib/fs.js: what readFile gives up at (kIoMaxLength). */
const MAX_FILE = 2 ** 31 - 1;

export class OpenFiles {
  /** Only descriptors that this client opened: a number that it guesses finds nothing. */
  readonly #open = new Map<number, { readonly regular: boolean }>();

  /** The descriptor, if this client opened it. Throws EBADF as the kernel would. */
  own(fd: number, syscall: string): number {
    if (!this.#open.has(fd)) throw badDescriptor(syscall);
    return fd;
  }

  /** Not a FIFO or device: opening those may wait for another process, and must not stop everybody else. */
  open(path: string | Buffer, flags: number, mode: number): Opened | Promise<Opened> {
    if (isRegularOrNew(path)) return this.#opened(fs.openSync(path, flags, mode), flags);
    return new Promise((resolve, reject) => {
      fs.open(path, flags, mode, (error, fd) =>
        error === null ? resolve(this.#opened(fd, flags)) : reject(error),
      );
    });
  }

  #opened(fd: number, flags: number): Opened {
    const stat = fs.fstatSync(fd, { bigint: true });
    const regular = stat.isFile();
    this.#open.set(fd, { regular });
    // A file of no size may have content all the same (/proc): it is read as it is asked for.
    if (!regular || (flags & ACCESS_MODE) !== fs.constants.O_RDONLY || stat.size === 0n)
      return { fd };
    const bytes = Buffer.allocUnsafe(Math.min(SMALL, Number(stat.size)));
    const count = fs.readSync(fd, bytes, 0, bytes.length, 0);
    return {
      fd,
      ahead: {
        stat: packStat(stat),
        bytes: bytes.subarray(0, count),
        end: count === Number(stat.size),
      },
    };
  }

  close(fd: number): void {
    this.own(fd, 'close');
    this.#open.delete(fd);
    fs.closeSync(fd);
  }

  closeAll(): void {
    for (const fd of this.#open.keys()) fs.close(fd, () => undefined);
    this.#open.clear();
  }

  read(
    fd: number,
    length: number,
    position: number | bigint,
    skip: number,
  ): Uint8Array | Promise<Uint8Array> {
    const regular = this.#regular(fd, 'read');
    if (skip > 0) fs.readSync(fd, Buffer.allocUnsafe(skip), 0, skip, null);
    const bytes = Buffer.allocUnsafe(Math.min(length, MAX_READ));
    const at = position === -1 || position === -1n ? null : position;
    if (regular && bytes.length <= SMALL)
      return bytes.subarray(0, fs.readSync(fd, bytes, 0, bytes.length, at));
    return new Promise((resolve, reject) => {
      fs.read(fd, bytes, 0, bytes.length, at as number | null, (error, count) =>
        error === null ? resolve(bytes.subarray(0, count)) : reject(error),
      );
    });
  }

  readRest(fd: number): Uint8Array | Promise<Uint8Array> {
    if (this.#regular(fd, 'read')) return fs.readFileSync(fd);
    return new Promise((resolve, reject) =>
      fs.readFile(fd, (error, bytes) => (error === null ? resolve(bytes) : reject(error))),
    );
  }

  write(fd: number, bytes: Uint8Array, position: number | null): number | Promise<number> {
    if (this.#regular(fd, 'write') && bytes.length <= SMALL)
      return fs.writeSync(fd, bytes, 0, bytes.length, position);
    return new Promise((resolve, reject) => {
      fs.write(fd, bytes, 0, bytes.length, position, (error, count) =>
        error === null ? resolve(count) : reject(error),
      );
    });
  }

  #regular(fd: number, syscall: string): boolean {
    const file = this.#open.get(fd);
    if (file === undefined) throw badDescriptor(syscall);
    return file.regular;
  }

  /** The whole content. Small regular files at once. */
  readPath(path: string | Buffer, flags: number): Uint8Array | Promise<Uint8Array> {
    const stat = fs.statSync(path, { throwIfNoEntry: false });
    if (stat?.isFile() !== true || stat.size > SMALL) return readLater(path, flags);
    return fs.readFileSync(path, { flag: flags as unknown as string });
  }

  writePath(
    path: string | Buffer,
    bytes: Uint8Array,
    flags: number,
    mode: number,
  ): void | Promise<void> {
    const options = { flag: flags as unknown as string, mode };
    if (isRegularOrNew(path) && bytes.length <= SMALL)
      return fs.writeFileSync(path, bytes, options);
    return fs.promises.writeFile(path, bytes, options);
  }
}

async function readLater(path: string | Buffer, flags: number): Promise<Uint8Array> {
  const { size } = fs.statSync(path);
  if (size > MAX_FILE) {
    throw Object.assign(new RangeError(`File size (${size}) is greater than 2 GiB`), {
      code: 'ERR_FS_FILE_TOO_LARGE',
    });
  }
  return fs.promises.readFile(path, { flag: flags as unknown as string });
}

function isRegularOrNew(path: string | Buffer): boolean {
  try {
    const stat = fs.statSync(path, { throwIfNoEntry: false });
    return stat === undefined || stat.isFile() || stat.isDirectory();
  } catch {
    // Whatever is wrong with the path, the operation itself will say it, and cannot wait for anybody.
    return true;
  }
}

/** The same as the kernel's for a descriptor that is not open. */
function badDescriptor(syscall: string): Error {
  return Object.assign(new Error(`EBADF: bad file descriptor, ${syscall}`), {
    code: 'EBADF',
    syscall,
  });
}

/** The remote half: carries the operations out on this machine. Small ones at once, without the thread pool's hop. */
import fs, { type Dirent } from 'node:fs';
import type { RemoteContext, RemoteHalf } from '../../src/patch.ts';
import type { FsApi, FsPath, Listing } from './api.ts';
import { OpenFiles } from './remote-files.ts';
import { packStat } from './remote-stat.ts';

const S_IFDIRENT: readonly [(entry: Dirent<Buffer>) => boolean, number][] = [
  [(entry) => entry.isFile(), 1],
  [(entry) => entry.isDirectory(), 2],
  [(entry) => entry.isSymbolicLink(), 3],
  [(entry) => entry.isFIFO(), 4],
  [(entry) => entry.isSocket(), 5],
  [(entry) => entry.isCharacterDevice(), 6],
  [(entry) => entry.isBlockDevice(), 7],
];

export function fsRemote(context: RemoteContext): RemoteHalf<FsApi> {
  const files = new OpenFiles();
  context.onEnd(() => files.closeAll());
  return {
    calls: {
      access: (path, mode) => fs.accessSync(at(path), mode),
      exists: (path) => fs.existsSync(at(path)),
      stat: (path) => packStat(fs.statSync(at(path), { bigint: true })),
      lstat: (path) => packStat(fs.lstatSync(at(path), { bigint: true })),
      statfs: (path) => {
        const {
          type,
          bsize,
          blocks,
          bfree,
          bavail,
          files: total,
          ffree,
        } = fs.statfsSync(at(path), { bigint: true });
        return [type, bsize, blocks, bfree, bavail, total, ffree];
      },
      readdir: (path) =>
        packListing(
          fs.readdirSync(at(path), {
            withFileTypes: true,
            encoding: 'buffer',
          }) as unknown as Dirent<Buffer>[],
        ),
      mkdir: (path, mode, recursive) => fs.mkdirSync(at(path), { mode, recursive }),
      mkdtemp: (prefix) => fs.mkdtempSync(at(prefix) as string, 'buffer') as unknown as Buffer,
      rmdir: (path) => fs.rmdirSync(at(path)),
      rm: (path, maxRetries, recursive, retryDelay) =>
        fs.rmSync(at(path), { force: true, maxRetries, recursive, retryDelay }),
      unlink: (path) => fs.unlinkSync(at(path)),
      rename: (from, to) => fs.renameSync(at(from), at(to)),
      link: (from, to) => fs.linkSync(at(from), at(to)),
      symlink: (content, path) => fs.symlinkSync(at(content), at(path)),
      readlink: (path) => fs.readlinkSync(at(path), 'buffer'),
      realpath: (path) => fs.realpathSync.native(at(path), 'buffer'),
      chmod: (path, mode) => fs.chmodSync(at(path), mode),
      chown: (path, uid, gid) => fs.chownSync(at(path), uid, gid),
      lchown: (path, uid, gid) => fs.lchownSync(at(path), uid, gid),
      utimes: (path, atime, mtime) => fs.utimesSync(at(path), time(atime), time(mtime)),
      lutimes: (path, atime, mtime) => fs.lutimesSync(at(path), time(atime), time(mtime)),
      copyFile: (from, to, mode) => fs.promises.copyFile(at(from), at(to), mode),
      cp: (from, to, options) => fs.promises.cp(at(from) as string, at(to) as string, options),
      readFile: (path, flags) => files.readPath(at(path), flags),
      writeFile: (path, bytes, flags, mode) => files.writePath(at(path), bytes, flags, mode),
      open: (path, flags, mode) => files.open(at(path), flags, mode),
      close: (fd) => files.close(fd),
      read: (fd, length, position, skip) => files.read(fd, length, position, skip),
      readRest: (fd) => files.readRest(fd),
      write: (fd, bytes, position) => files.write(fd, bytes, position),
      fstat: (fd) => packStat(fs.fstatSync(files.own(fd, 'fstat'), { bigint: true })),
      ftruncate: (fd, length) => fs.ftruncateSync(files.own(fd, 'ftruncate'), length),
      fsync: (fd) => promised((done) => fs.fsync(files.own(fd, 'fsync'), done)),
      fdatasync: (fd) => promised((done) => fs.fdatasync(files.own(fd, 'fdatasync'), done)),
      fchmod: (fd, mode) => fs.fchmodSync(files.own(fd, 'fchmod'), mode),
      fchown: (fd, uid, gid) => fs.fchownSync(files.own(fd, 'fchown'), uid, gid),
      futimes: (fd, atime, mtime) =>
        fs.futimesSync(files.own(fd, 'futime'), time(atime), time(mtime)),
    },
  };
}

/** Bytes stay bytes; anything else is no path, and Node's own check says so. */
function at(path: FsPath): string | Buffer {
  return typeof path === 'string' ? path : Buffer.from(path.buffer, path.byteOffset, path.length);
}

/** The public functions take a negative number for now, and a Date as it is. */
function time(seconds: number): number | Date {
  return seconds < 0 ? new Date(seconds * 1000) : seconds;
}

function promised(start: (done: (error: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) =>
    start((error) => (error === null ? resolve() : reject(error))),
  );
}

function packListing(entries: readonly Dirent<Buffer>[]): Listing {
  const types = Buffer.alloc(entries.length);
  const names: Buffer[] = [];
  entries.forEach((entry, i) => {
    names.push(entry.name, NUL);
    types[i] = S_IFDIRENT.find(([is]) => is(entry))?.[1] ?? 0;
  });
  return { names: Buffer.concat(names), types };
}

const NUL = Buffer.alloc(1);

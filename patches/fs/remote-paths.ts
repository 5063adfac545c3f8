/** The far side's operations on paths: single system calls, carried out at once. */
import fs from 'node:fs';
import { wireStats } from '../../src/base/wire-stats.ts';
import type { FsApi } from './api.ts';
import { makeDirectory } from './creation.ts';
import { systemError } from './errors.ts';
import type { Held } from './remote-files.ts';
import {
  type Handlers,
  pathLike,
  wireEntries,
  wireFileSystem,
  wireNames,
} from './remote-values.ts';

type Looks = Pick<
  FsApi,
  'access' | 'exists' | 'kind' | 'stat' | 'lstat' | 'statfs' | 'readdir' | 'readlink' | 'realpath'
>;
type Changes = Pick<
  FsApi,
  | 'mkdir'
  | 'mkdtemp'
  | 'rename'
  | 'link'
  | 'symlink'
  | 'unlink'
  | 'rmdir'
  | 'chmod'
  | 'chown'
  | 'lchown'
  | 'utimes'
  | 'lutimes'
>;
type OnFiles = Pick<FsApi, 'ftruncate' | 'fchmod' | 'fchown' | 'futimes'>;

const BYTES = { encoding: 'buffer' } as const;

export const lookHandlers: Handlers<Looks> = {
  access: (path, mode) => fs.accessSync(pathLike(path), mode),
  exists: (path) => fs.existsSync(pathLike(path)),
  kind(path) {
    try {
      return fs.statSync(pathLike(path)).isDirectory() ? 1 : 0;
    } catch {
      return -2;
    }
  },
  stat: (path) => wireStats(fs.statSync(pathLike(path), { bigint: true })),
  lstat: (path) => wireStats(fs.lstatSync(pathLike(path), { bigint: true })),
  statfs: (path) => wireFileSystem(fs.statfsSync(pathLike(path), { bigint: true })),
  readdir(path, withTypes) {
    if (!withTypes) return wireNames(fs.readdirSync(pathLike(path), BYTES));
    return wireEntries(fs.readdirSync(pathLike(path), { ...BYTES, withFileTypes: true }) as never);
  },
  readlink: (path) => fs.readlinkSync(pathLike(path), BYTES),
  realpath: (path, native) =>
    (native ? fs.realpathSync.native : fs.realpathSync)(pathLike(path), BYTES),
};

/** Node's own conversion takes a negative number for now, but a string as it is. */
const seconds = (time: number): string | Date =>
  Number.isNaN(time) ? new Date(Number.NaN) : String(time);

const LINK_TYPES = ['file', 'dir', 'junction'] as const;

export const changeHandlers: Handlers<Changes> = {
  mkdir(path, mode, recursive, base) {
    if (recursive && base !== '' && !fs.existsSync(base))
      throw systemError({ code: 'ENOENT', syscall: 'mkdir', path: pathLike(path).toString() });
    const made = makeDirectory(pathLike(path), mode, recursive);
    return made === undefined ? undefined : Buffer.from(made);
  },
  mkdtemp: (prefix) => fs.mkdtempSync(pathLike(prefix) as string, BYTES),
  rename: (from, to) => fs.renameSync(pathLike(from), pathLike(to)),
  link: (existing, path) => fs.linkSync(pathLike(existing), pathLike(path)),
  symlink: (target, path, flags) =>
    fs.symlinkSync(pathLike(target), pathLike(path), LINK_TYPES[flags] ?? 'file'),
  unlink: (path) => fs.unlinkSync(pathLike(path)),
  rmdir: (path) => fs.rmdirSync(pathLike(path)),
  chmod: (path, mode) => fs.chmodSync(pathLike(path), mode),
  chown: (path, uid, gid) => fs.chownSync(pathLike(path), uid, gid),
  lchown: (path, uid, gid) => fs.lchownSync(pathLike(path), uid, gid),
  utimes: (path, atime, mtime) => fs.utimesSync(pathLike(path), seconds(atime), seconds(mtime)),
  lutimes: (path, atime, mtime) => fs.lutimesSync(pathLike(path), seconds(atime), seconds(mtime)),
};

export function fileChangeHandlers(held: Held): Handlers<OnFiles> {
  return {
    ftruncate: (id, length) => fs.ftruncateSync(held.file(id, 'ftruncate').descriptor, length),
    fchmod: (id, mode) => fs.fchmodSync(held.file(id, 'fchmod').descriptor, mode),
    fchown: (id, uid, gid) => fs.fchownSync(held.file(id, 'fchown').descriptor, uid, gid),
    futimes: (id, atime, mtime) =>
      fs.futimesSync(held.file(id, 'futime').descriptor, seconds(atime), seconds(mtime)),
  };
}

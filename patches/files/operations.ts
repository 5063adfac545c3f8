/** What the operations on paths and descriptors have in common: where the request is in the arguments, and what is sent. */
import type { FsApi } from './api.ts';
import { encoded, listing, statArray, statfsArray } from './values.ts';

export type Arguments = readonly unknown[];

/** An operation on one or two paths. */
export interface PathOperation {
  /** Index of the request argument; -1 where there is only the synchronous form. */
  readonly request: number;
  readonly method: keyof FsApi;
  /** Node's name of the system call, for errors that are made here. */
  readonly syscall: string;
  /** Two: the first two arguments are paths (rename). 'second': only the second is (symlink). */
  readonly paths: 'one' | 'two' | 'second';
  /** What follows the paths. */
  extra?(args: Arguments): unknown[];
  result?(value: never, args: Arguments, cwd: string): unknown;
  /** Local errors for arguments that only the native code checks. */
  invalid?(args: Arguments): boolean;
  /** Whether the module loader uses it too. */
  readonly loader?: (args: Arguments) => boolean;
  /** The value in place of an error, where the arguments ask for it. */
  missing?(error: unknown, args: Arguments): boolean;
  readonly changes?: boolean;
}

const number = (value: unknown): number => Number(value);
const modeInvalid = (args: Arguments): boolean => badAccessMode(args[1]);
const copyModeInvalid = (args: Arguments): boolean => badAccessMode(args[2]);

/** The native code refuses these with an error of its own. */
function badAccessMode(mode: unknown): boolean {
  return (
    mode !== undefined &&
    !(typeof mode === 'number' && Number.isInteger(mode) && mode >= 0 && mode <= 7)
  );
}

const stat = (value: Uint8Array, args: Arguments): unknown => statArray(value, args[1] === true);
const text = (value: Uint8Array, args: Arguments): unknown => encoded(value, args[1]);

/** `throwIfNoEntry: false` gives undefined for these (lib/fs.js isFileType, node_file.cc is_uv_error_except_no_entry). */
function noEntry(error: unknown, args: Arguments): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return args[3] === false && (code === 'ENOENT' || code === 'ENOTDIR');
}

export const PATH_OPERATIONS: Readonly<Record<string, PathOperation>> = {
  access: {
    request: 2,
    method: 'access',
    syscall: 'access',
    paths: 'one',
    extra: ([, mode]) => [mode],
    invalid: modeInvalid,
  },
  stat: {
    request: 2,
    method: 'stat',
    syscall: 'stat',
    paths: 'one',
    result: stat,
    missing: noEntry,
  },
  // The loader's realpath asks with bigint and synchronously.
  lstat: {
    request: 2,
    method: 'lstat',
    syscall: 'lstat',
    paths: 'one',
    result: stat,
    missing: noEntry,
    loader: (args) => args[1] === true && args[2] === undefined,
  },
  statfs: {
    request: 2,
    method: 'statfs',
    syscall: 'statfs',
    paths: 'one',
    result: (value: bigint[], args) => statfsArray(value, args[1] === true, statfsLength),
  },
  readdir: {
    request: 3,
    method: 'readdir',
    syscall: 'scandir',
    paths: 'one',
    result: (value, args) => listing(value, args[1], args[2] === true),
  },
  mkdir: {
    request: 3,
    method: 'mkdir',
    syscall: 'mkdir',
    paths: 'one',
    extra: ([, mode, recursive]) => [number(mode), recursive === true],
    changes: true,
  },
  mkdtemp: {
    request: 2,
    method: 'mkdtemp',
    syscall: 'mkdtemp',
    paths: 'one',
    result: madeDirectory,
    changes: true,
  },
  rmdir: { request: 1, method: 'rmdir', syscall: 'rmdir', paths: 'one', changes: true },
  rmSync: {
    request: -1,
    method: 'rm',
    syscall: 'rm',
    paths: 'one',
    extra: ([, retries, recursive, delay]) => [number(retries), recursive === true, number(delay)],
    changes: true,
  },
  unlink: { request: 1, method: 'unlink', syscall: 'unlink', paths: 'one', changes: true },
  rename: { request: 2, method: 'rename', syscall: 'rename', paths: 'two', changes: true },
  link: { request: 2, method: 'link', syscall: 'link', paths: 'two', changes: true },
  symlink: { request: 3, method: 'symlink', syscall: 'symlink', paths: 'second', changes: true },
  readlink: { request: 2, method: 'readlink', syscall: 'readlink', paths: 'one', result: text },
  realpath: { request: 2, method: 'realpath', syscall: 'realpath', paths: 'one', result: text },
  chmod: {
    request: 2,
    method: 'chmod',
    syscall: 'chmod',
    paths: 'one',
    extra: ([, mode]) => [number(mode)],
    changes: true,
  },
  chown: {
    request: 3,
    method: 'chown',
    syscall: 'chown',
    paths: 'one',
    extra: ([, uid, gid]) => [number(uid), number(gid)],
    changes: true,
  },
  lchown: {
    request: 3,
    method: 'lchown',
    syscall: 'lchown',
    paths: 'one',
    extra: ([, uid, gid]) => [number(uid), number(gid)],
    changes: true,
  },
  utimes: {
    request: 3,
    method: 'utimes',
    syscall: 'utime',
    paths: 'one',
    extra: ([, atime, mtime]) => [number(atime), number(mtime)],
    changes: true,
  },
  lutimes: {
    request: 3,
    method: 'lutimes',
    syscall: 'lutime',
    paths: 'one',
    extra: ([, atime, mtime]) => [number(atime), number(mtime)],
    changes: true,
  },
  copyFile: {
    request: 3,
    method: 'copyFile',
    syscall: 'copyfile',
    paths: 'two',
    extra: ([, , mode]) => [number(mode ?? 0)],
    invalid: copyModeInvalid,
    changes: true,
  },
};

/** Set once from the binding of this Node. */
let statfsLength = 7;
export function setStatfsLength(length: number): void {
  statfsLength = length;
}

function madeDirectory(value: Uint8Array, args: Arguments, cwd: string): unknown {
  const prefix = args[0];
  const buffer = Buffer.from(value);
  const inside =
    typeof prefix === 'string' &&
    !prefix.startsWith('/') &&
    buffer.toString().startsWith(`${cwd}/`);
  return encoded(inside ? buffer.subarray(Buffer.byteLength(cwd) + 1) : buffer, args[1]);
}

/** An operation on a descriptor, all but read and write, which descriptor-io.ts has. */
export interface DescriptorOperation {
  readonly request: number;
  readonly method: keyof FsApi;
  readonly syscall: string;
  extra?(args: Arguments): unknown[];
  result?(value: never, args: Arguments): unknown;
  readonly changes?: boolean;
}

export const DESCRIPTOR_OPERATIONS: Readonly<Record<string, DescriptorOperation>> = {
  fstat: { request: 2, method: 'fstat', syscall: 'fstat', result: stat },
  ftruncate: {
    request: 2,
    method: 'ftruncate',
    syscall: 'ftruncate',
    extra: ([, length]) => [number(length ?? 0)],
    changes: true,
  },
  fsync: { request: 1, method: 'fsync', syscall: 'fsync' },
  fdatasync: { request: 1, method: 'fdatasync', syscall: 'fdatasync' },
  fchmod: {
    request: 2,
    method: 'fchmod',
    syscall: 'fchmod',
    extra: ([, mode]) => [number(mode)],
    changes: true,
  },
  fchown: {
    request: 3,
    method: 'fchown',
    syscall: 'fchown',
    extra: ([, uid, gid]) => [number(uid), number(gid)],
    changes: true,
  },
  futimes: {
    request: 3,
    method: 'futimes',
    syscall: 'futime',
    extra: ([, atime, mtime]) => [number(atime), number(mtime)],
    changes: true,
  },
};

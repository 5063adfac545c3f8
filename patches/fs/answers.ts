/** What the far side may answer to each operation of the fs patch. */
import { posix } from 'node:path';
import {
  bytes,
  count,
  either,
  flag,
  integer,
  type Kind,
  maybe,
  nothing,
  numbers64,
  text,
  tuple,
} from '../../src/base/kind.ts';
import type { Answers, Signals } from '../../src/patch.ts';
import {
  type DirectoryPage,
  type FsApi,
  type FsStreams,
  MAX_PIECE,
  type Names,
  type Opened,
  type PollSignal,
  type Rest,
  SMALL,
  type WatchSignal,
  type WholeFile,
} from './api.ts';

const stats = numbers64(18);
const fileSystem = numbers64(8);

const atMost = (most: number): Kind<Uint8Array> =>
  ((value) => bytes(value) && value.length <= most) as Kind<Uint8Array>;

const opened = tuple<Opened>(count, maybe(stats), maybe(atMost(SMALL)));
const content = tuple<WholeFile>(maybe(atMost(MAX_PIECE)), maybe(opened));
const rest = tuple<Rest>(atMost(MAX_PIECE), flag);

const SLASH = 0x2f;
const ABOVE = Buffer.from('\0..\0');
const HERE = Buffer.from('\0.\0');
const EMPTY = Buffer.from('\0\0');

/** Names of a directory's entries: programs put them behind its path, so none may lead elsewhere. */
const entryNames: Kind<Uint8Array> = (value): value is Uint8Array =>
  bytes(value) && !value.includes(SLASH) && !hasAny(value, EMPTY, HERE, ABOVE);

/** The same of a whole tree, relative to it. */
const relativeNames: Kind<Uint8Array> = (value): value is Uint8Array => {
  if (!bytes(value) || hasAny(value, EMPTY)) return false;
  if (!value.includes(SLASH)) return !hasAny(value, HERE, ABOVE);
  return Buffer.from(value)
    .toString('latin1')
    .split('\0')
    .every((name) => !/(?:^|\/)(?:\.{0,2})(?:\/|$)/.test(name));
};

/** As if separators were also before and behind all names. */
function hasAny(names: Uint8Array, ...wanted: readonly Buffer[]): boolean {
  if (names.length === 0) return false;
  const list = Buffer.from(names.buffer, names.byteOffset, names.length);
  return wanted.some(
    (found) =>
      list.includes(found) ||
      begins(list, found.subarray(1)) ||
      ends(list, found.subarray(0, -1)) ||
      list.equals(found.subarray(1, -1)),
  );
}

const begins = (list: Buffer, start: Buffer): boolean =>
  list.subarray(0, start.length).equals(start);
const ends = (list: Buffer, end: Buffer): boolean => list.subarray(-end.length).equals(end);

/** Not more types than there can be names. */
const typed =
  (kind: Kind<Uint8Array>): Kind<Names> =>
  (value): value is Names =>
    tuple<Names>(kind, maybe(bytes))(value) && (value[1]?.length ?? 0) <= mostNames(value[0]);

const mostNames = (names: Uint8Array): number => (names.length + 1) >> 1;

const page =
  (kind: Kind<Uint8Array>): Kind<DirectoryPage> =>
  (value): value is DirectoryPage =>
    tuple<DirectoryPage>(kind, bytes, maybe(count))(value) &&
    value[1].length <= mostNames(value[0]);

/** Absolute, and nothing in it leads upwards. */
const realPath: Kind<Uint8Array> = (value): value is Uint8Array => {
  if (!bytes(value)) return false;
  const path = Buffer.from(value).toString('latin1');
  return posix.resolve('/', path) === path && !path.includes('\0');
};

export const FS_ANSWERS: Answers<FsApi> = {
  access: nothing,
  exists: flag,
  kind: integer,
  stat: stats,
  lstat: stats,
  statfs: fileSystem,
  open: opened,
  close: nothing,
  discard: nothing,
  fstat: stats,
  read: (answer, [, length]): answer is Uint8Array => bytes(answer) && answer.length <= length,
  write: (answer, [, given]): answer is number => count(answer) && answer <= given.length,
  ftruncate: nothing,
  fsync: nothing,
  fdatasync: nothing,
  fchmod: nothing,
  fchown: nothing,
  futimes: nothing,
  readFile: (answer): answer is WholeFile =>
    content(answer) && (answer[0] !== undefined) !== (answer[1] !== undefined),
  advance: nothing,
  // Without an end it goes on, which nothing would ever do.
  drain: (answer): answer is Rest => rest(answer) && (answer[1] || answer[0].length > 0),
  writeFile: nothing,
  copyFile: nothing,
  mkdir: maybe(bytes),
  readdir: typed(entryNames),
  readdirRecursive: typed(relativeNames),
  glob: typed(bytes),
  opendir: (answer, [, recursive]): answer is DirectoryPage =>
    page(recursive ? relativeNames : entryNames)(answer),
  readDirectory: page(entryNames),
  closeDirectory: nothing,
  mkdtemp: bytes,
  rename: nothing,
  link: nothing,
  symlink: nothing,
  unlink: nothing,
  rmdir: nothing,
  readlink: bytes,
  realpath: realPath,
  chmod: nothing,
  chown: nothing,
  lchown: nothing,
  utimes: nothing,
  lutimes: nothing,
  watch: count,
  remove: nothing,
  copyTree: nothing,
  copyStep: nothing,
};

export const FS_SIGNALS: Signals<FsStreams> = {
  watching: either(text, tuple<Exclude<WatchSignal, string>>(text, maybe(bytes))),
  polling: tuple<PollSignal>(text, stats, stats),
};

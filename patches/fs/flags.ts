/** Open flags: O_* numbers differ between systems, so the wire carries Linux's. Also Node's flag strings. */
import { constants } from 'node:fs';

/** The numbers of Linux on x64 and arm64's common part: what the wire means. */
const WIRE: Readonly<Record<string, number>> = {
  O_CREAT: 0o100,
  O_EXCL: 0o200,
  O_NOCTTY: 0o400,
  O_TRUNC: 0o1000,
  O_APPEND: 0o2000,
  O_NONBLOCK: 0o4000,
  O_DSYNC: 0o10000,
  O_DIRECT: 0o40000,
  O_DIRECTORY: 0o200000,
  O_NOFOLLOW: 0o400000,
  O_NOATIME: 0o1000000,
  O_SYNC: 0o4010000,
};
/** O_RDONLY 0, O_WRONLY 1, O_RDWR 2 everywhere. */
const ACCESS = 3;

interface Pair {
  readonly here: number;
  readonly wire: number;
}

const local = constants as Readonly<Record<string, number | undefined>>;
const pairs: readonly Pair[] = Object.entries(WIRE)
  .map(([name, wire]) => ({ here: local[name] ?? 0, wire }))
  .filter(({ here }) => here !== 0)
  // O_SYNC holds O_DSYNC's bit on Linux, so the larger one is looked at first.
  .sort((a, b) => b.wire - a.wire);
const same: boolean = pairs.every(({ here, wire }) => here === wire);

/** This system's flags as the wire's. */
export function toWireFlags(flags: number): number {
  return same ? flags : translate(flags, 'here', 'wire');
}

/** The wire's flags as this system's; flags that it does not have are dropped. */
export function fromWireFlags(flags: number): number {
  return same ? flags : translate(flags, 'wire', 'here');
}

function translate(flags: number, from: keyof Pair, to: keyof Pair): number {
  let result = flags & ACCESS;
  for (const pair of pairs) if ((flags & pair[from]) === pair[from]) result |= pair[to];
  return result;
}

export function onlyReads(flags: number): boolean {
  return (
    (flags & ACCESS) === constants.O_RDONLY &&
    (flags & (constants.O_TRUNC | constants.O_CREAT)) === 0
  );
}

const { O_RDONLY, O_RDWR, O_WRONLY, O_SYNC, O_TRUNC, O_CREAT, O_EXCL, O_APPEND } = constants;
const STRINGS: Readonly<Record<string, number>> = {
  r: O_RDONLY,
  rs: O_RDONLY | O_SYNC,
  'r+': O_RDWR,
  'rs+': O_RDWR | O_SYNC,
  w: O_TRUNC | O_CREAT | O_WRONLY,
  wx: O_TRUNC | O_CREAT | O_WRONLY | O_EXCL,
  'w+': O_TRUNC | O_CREAT | O_RDWR,
  'wx+': O_TRUNC | O_CREAT | O_RDWR | O_EXCL,
  a: O_APPEND | O_CREAT | O_WRONLY,
  ax: O_APPEND | O_CREAT | O_WRONLY | O_EXCL,
  as: O_APPEND | O_CREAT | O_WRONLY | O_SYNC,
  'a+': O_APPEND | O_CREAT | O_RDWR,
  'ax+': O_APPEND | O_CREAT | O_RDWR | O_EXCL,
  'as+': O_APPEND | O_CREAT | O_RDWR | O_SYNC,
};
/** 'xw', 'sr+' and the like mean the same with the letters the other way round. */
const SWAPPED = /^([xs])([rwa])/;

/** Modes of `access` and `copyFile` that Node takes: it drops what follows the point. */
export function isSmallMode(mode: unknown): boolean {
  return (
    mode === undefined || mode === null || (typeof mode === 'number' && mode >= 0 && mode <= 7)
  );
}

export function smallMode(mode: unknown): number {
  return Math.trunc((mode as number | null | undefined) ?? 0);
}

/** The number of a flag string that Node has validated already. */
export function flagNumber(flags: unknown): number {
  if (typeof flags === 'number') return flags;
  return STRINGS[String(flags ?? 'r').replace(SWAPPED, '$2$1')] ?? O_RDONLY;
}

/**
 * The mode of what is made on the far side. Its process's mask is every client's, so a scope's own mask is applied here,
 * and the mode travels as a negative number: exactly these bits, whatever the mask over there.
 */
import fs from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { FsTarget } from './api.ts';

const BITS = 0o777;

/** What to send for the mode that the caller gave. */
export function creationMode({ scope }: FsTarget, mode: number): number {
  return scope.umask === undefined ? mode : -1 - (mode & 0o7777 & ~scope.umask);
}

/** The bits of a mode on the wire. */
export function bitsOf(mode: number): number {
  return mode < 0 ? -1 - mode : mode;
}

/** True if the mode cannot be left to a thread that opens the file. */
export function isExact(mode: number, flags: number): boolean {
  return mode < 0 && (flags & fs.constants.O_CREAT) !== 0;
}

/** What was not there is given its bits after it was made: so nothing that others share is touched. */
export function openExactly(path: fs.PathLike, flags: number, mode: number): number {
  const { O_CREAT, O_EXCL } = fs.constants;
  const bits = bitsOf(mode);
  try {
    const descriptor = fs.openSync(path, flags | O_EXCL, bits);
    fs.fchmodSync(descriptor, bits);
    return descriptor;
  } catch (error) {
    if (!isCode(error, 'EEXIST') || (flags & O_EXCL) !== 0) throw error;
  }
  try {
    return fs.openSync(path, flags & ~O_CREAT, bits);
  } catch (error) {
    if (!isCode(error, 'ENOENT')) throw error;
    // A link whose target is to be made.
    return fs.openSync(path, flags, bits);
  }
}

/** Returns the first directory that was made, as `mkdirSync` does. */
export function makeDirectory(
  path: fs.PathLike,
  mode: number,
  recursive: boolean,
): string | undefined {
  const bits = bitsOf(mode);
  const made = fs.mkdirSync(path, { mode: bits, recursive });
  if (mode >= 0 || (recursive && made === undefined)) return made;
  const first = recursive ? resolve(String(made)) : undefined;
  for (let at = recursive ? resolve(String(path)) : path; ; at = dirname(String(at))) {
    // Set-group-id is the directory's above.
    fs.chmodSync(at, (fs.statSync(at).mode & 0o7000) | (bits & BITS));
    if (first === undefined || at === first || at === dirname(String(at))) return made;
  }
}

function isCode(error: unknown, code: string): boolean {
  return (error as NodeJS.ErrnoException).code === code;
}

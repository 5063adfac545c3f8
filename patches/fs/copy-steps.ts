/**
 * The native steps of `cpSync` (Node 22 and later), when one side is here and the other is far: Node's native code knows
 * one machine only. Everything goes through the public functions, each of which finds its own side.
 */
import fs from 'node:fs';
import { dirname } from 'node:path';
import { systemError } from './errors.ts';

/** The arguments after the two paths, as `lib/internal/fs/cp/cp-sync.js` gives them. */
type Rest = readonly (boolean | number | undefined)[];

export function stepAcross(name: string, from: string, to: string, rest: Rest): void {
  if (name === 'cpSyncCheckPaths') return checkPaths(from, to, rest[0] === true, rest[1] === true);
  if (name === 'cpSyncOverrideFile')
    return overrideFile(from, to, Number(rest[0] ?? 0), rest[1] === true);
  throw systemError({ code: 'EXDEV', syscall: 'cp', path: from, dest: to });
}

function refused(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

/** Two machines: neither path can be the other's, or inside it. */
function checkPaths(from: string, to: string, dereference: boolean, recursive: boolean): void {
  const look = dereference ? fs.statSync : fs.lstatSync;
  const source = look(from) as fs.Stats;
  const destination = look(to, { throwIfNoEntry: false }) as fs.Stats | undefined;
  const tree = source.isDirectory();
  if (destination !== undefined && tree && !destination.isDirectory())
    throw refused(
      'ERR_FS_CP_DIR_TO_NON_DIR',
      `Cannot overwrite non-directory ${to} with directory ${from}`,
    );
  if (destination?.isDirectory() === true && !tree)
    throw refused(
      'ERR_FS_CP_NON_DIR_TO_DIR',
      `Cannot overwrite directory ${to} with non-directory ${from}`,
    );
  if (tree && !recursive)
    throw refused(
      'ERR_FS_EISDIR',
      `Recursive option not enabled, cannot copy a directory: ${from}`,
    );
  if (source.isSocket()) throw refused('ERR_FS_CP_SOCKET', `Cannot copy a socket file: ${to}`);
  if (source.isFIFO()) throw refused('ERR_FS_CP_FIFO_PIPE', `Cannot copy a FIFO pipe: ${to}`);
  if (destination === undefined) fs.mkdirSync(dirname(to), { recursive: true });
}

function overrideFile(from: string, to: string, mode: number, preserveTimestamps: boolean): void {
  fs.unlinkSync(to);
  fs.copyFileSync(from, to, mode);
  if (preserveTimestamps) copyTimes(from, to);
}

function copyTimes(from: string, to: string): void {
  const { atime, mtime } = fs.statSync(from);
  fs.utimesSync(to, atime, mtime);
}

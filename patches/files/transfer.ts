/** Copies a file between this side and the far one, or between two far sides, where `copyFile` spans them. */
import { constants } from 'node:fs';
import { runLocally } from '../../src/base/context.ts';
import { originals } from '../../src/base/originals.ts';
import { localError } from './errors.ts';
import type { Arguments } from './operations.ts';
import type { PathRoute } from './paths.ts';
import { statArray } from './values.ts';

const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC;
const ST_MODE = 1;

/** `undefined` means this side. Blocks, as a copy within one side by a slow disk would; keeps the mode bits. */
export function transferCopy(
  from: PathRoute | undefined,
  to: PathRoute | undefined,
  args: Arguments,
): void {
  const [source, destination, mode] = args;
  const place = { path: source, dest: destination };
  const exclusive = (Number(mode ?? 0) & constants.COPYFILE_EXCL) !== 0;
  const flags = exclusive ? CREATE | constants.O_EXCL : CREATE;
  try {
    const { bytes, permissions } = readWhole(from, source as string);
    if (to === undefined)
      runLocally(() =>
        originals.fs.writeFileSync(destination as string, bytes, {
          flag: flags as never,
          mode: permissions,
        }),
      );
    else to.target.callSync('writeFile', to.path, bytes, flags, permissions);
  } catch (error) {
    throw localError(Object.assign(error as Error, { syscall: 'copyfile' }), place);
  }
}

function readWhole(
  from: PathRoute | undefined,
  path: string,
): { bytes: Uint8Array; permissions: number } {
  if (from === undefined) {
    return runLocally(() => ({
      bytes: originals.fs.readFileSync(path),
      permissions: originals.fs.statSync(path).mode & 0o777,
    }));
  }
  const stat = statArray(from.target.callSync('stat', from.path), false);
  return {
    bytes: from.target.callSync('readFile', from.path, constants.O_RDONLY),
    permissions: Number(stat[ST_MODE]) & 0o777,
  };
}

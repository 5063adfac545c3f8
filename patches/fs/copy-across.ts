/** `copyFile` between the two machines: the bytes pass through this process, a piece at a time. */
import fs, { constants } from 'node:fs';
import { type FsContext, MAX_PIECE } from './api.ts';
import { systemError } from './errors.ts';
import { toWireFlags } from './flags.ts';
import type { RemotePath } from './paths.ts';
import { ask, type Work } from './work.ts';

interface Copy {
  /** Undefined for the side that is here. */
  readonly from: RemotePath | undefined;
  readonly to: RemotePath | undefined;
  /** What `copyFile` was called with. */
  readonly args: readonly unknown[];
}

const PIECE = MAX_PIECE / 8;

export function* copyAcross(context: FsContext, copy: Copy): Work<void> {
  const [source, destination, given] = copy.args as [string, string, number | undefined];
  const mode = given ?? 0;
  if ((mode & constants.COPYFILE_FICLONE_FORCE) !== 0) {
    throw systemError({ code: 'ENOTSUP', syscall: 'copyfile', path: source, dest: destination });
  }
  const exclusive = (mode & constants.COPYFILE_EXCL) !== 0 ? constants.O_EXCL : 0;
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | exclusive;
  if (copy.from === undefined && copy.to !== undefined)
    yield* upload(context, source, copy.to, flags);
  else if (copy.from !== undefined) yield* download(context, copy.from, destination, flags);
}

function* upload(context: FsContext, source: string, to: RemotePath, flags: number): Work<void> {
  const here = context.locally(() => fs.openSync(source, 'r'));
  try {
    const { mode } = fs.fstatSync(here);
    const [id] = yield* ask('open', to.path, toWireFlags(flags), mode & 0o777, false, []);
    try {
      yield* send(here, id);
    } catch (error) {
      yield* ask('discard', [id]);
      throw error;
    }
    yield* ask('close', id);
  } finally {
    fs.closeSync(here);
  }
}

function* send(here: number, id: number): Work<void> {
  for (;;) {
    const bytes = Buffer.allocUnsafeSlow(PIECE);
    const length = fs.readSync(here, bytes, 0, PIECE, null);
    if (length === 0) return;
    yield* ask('write', id, bytes.subarray(0, length), -1);
  }
}

function* download(
  context: FsContext,
  from: RemotePath,
  destination: string,
  flags: number,
): Work<void> {
  const [id] = yield* ask('open', from.path, toWireFlags(constants.O_RDONLY), 0, false, []);
  try {
    const stats = yield* ask('fstat', id);
    const here = context.locally(() => fs.openSync(destination, flags, Number(stats[1]) & 0o777));
    try {
      for (;;) {
        const bytes = yield* ask('read', id, PIECE, -1);
        if (bytes.length === 0) break;
        fs.writeSync(here, bytes);
      }
    } finally {
      fs.closeSync(here);
    }
  } finally {
    yield* ask('discard', [id]);
  }
}

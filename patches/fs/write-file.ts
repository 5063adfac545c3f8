/**
 * `writeFile` in one round trip. Node's own function opens, writes and closes; the substitute announces to it what will
 * be written, `open` then does all three, and the write and close that follow are answered here. So validation, order and
 * errors stay Node's own.
 */
import { MAX_PIECE } from './api.ts';
import { creationMode } from './creation.ts';
import { addFile } from './descriptors.ts';
import { flagNumber, onlyReads, toWireFlags } from './flags.ts';
import { noteChange } from './open-ahead.ts';
import { givenPath, type RemotePath } from './paths.ts';
import { bytesOf } from './values.ts';
import { ask, type Work } from './work.ts';

/** What one call of `writeFile` will write. */
export interface WholeWrite {
  readonly path: unknown;
  readonly flags: number;
  readonly mode: number;
  bytes(): Uint8Array;
}

interface WriteOptions {
  readonly encoding?: string | null;
  readonly flag?: string | number | null;
  readonly mode?: number | string;
  readonly flush?: boolean;
  readonly signal?: AbortSignal;
}

let announced: WholeWrite | undefined;

/** Runs `write`, whose synchronous part opens the file. */
export function announce<R>(whole: WholeWrite, write: () => R): R {
  const before = announced;
  announced = whole;
  try {
    return write();
  } finally {
    announced = before;
  }
}

/** The announced write to this path, once. */
export function takeWriteFile(path: unknown, flags?: number): WholeWrite | undefined {
  const whole = announced;
  if (whole === undefined || whole.path !== path) return undefined;
  if (flags !== undefined && onlyReads(flags)) return undefined;
  announced = undefined;
  return whole;
}

/** Undefined for every call that is not plain: Node's own function then goes step by step. */
export function wholeWrite(
  path: unknown,
  data: unknown,
  given: unknown,
  flag: string,
): WholeWrite | undefined {
  const place = givenPath(path);
  const options = optionsOf(given);
  if (place === undefined || options === undefined) return undefined;
  if (options.flush || options.signal?.aborted === true) return undefined;
  // What is as good as nothing is nothing to Node.
  const encoding = options.encoding || 'utf8';
  if (typeof data === 'string') {
    if (data.length * 3 > MAX_PIECE || !Buffer.isEncoding(encoding)) return undefined;
  } else if (!ArrayBuffer.isView(data) || data.byteLength > MAX_PIECE) {
    return undefined;
  }
  return {
    path: place,
    flags: flagNumber(options.flag || flag),
    mode: modeNumber(options.mode),
    bytes: () =>
      typeof data === 'string' ? Buffer.from(data, encoding as BufferEncoding) : bytesOf(data),
  };
}

function optionsOf(given: unknown): WriteOptions | undefined {
  if (given === undefined || given === null || typeof given === 'function') return {};
  if (typeof given === 'string') return { encoding: given };
  return typeof given === 'object' ? given : undefined;
}

function modeNumber(mode: number | string | undefined): number {
  return typeof mode === 'string' ? Number.parseInt(mode, 8) : (mode ?? 0o666);
}

/** Returns the descriptor of a file that is only believed to be open. A failed write is told when it is asked for. */
export function* writeAtOnce(
  path: RemotePath,
  flags: number,
  mode: number,
  whole: WholeWrite,
): Work<number> {
  noteChange(path.target);
  let failure: unknown;
  try {
    const bits = creationMode(path.target, mode);
    yield* ask('writeFile', path.path, toWireFlags(flags), bits, whole.bytes());
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall !== 'write') throw error;
    failure = error;
  }
  return addFile({ kind: 'written', target: path.target, failure });
}

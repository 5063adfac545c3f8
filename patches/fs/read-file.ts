/**
 * Whole files in one round trip: `readFileSync` with an encoding, and `fs.readFile` with a callback, whose steps Node
 * keeps in a ReadFileContext. The promise form needs nothing of this: what comes along with `open` is enough.
 */
import { ElsewhereError } from '../../src/base/errors.ts';
import { giveBack } from '../../src/base/spare-memory.ts';
import { type Opened, SMALL } from './api.ts';
import type { Request } from './binding.ts';
import { closeLater } from './closing.ts';
import type { FarFile } from './descriptors.ts';
import { toWireFlags } from './flags.ts';
import type { RemotePath } from './paths.ts';
import { asBuffer } from './values.ts';
import { ask, type Work } from './work.ts';

/** What Node 20 to 26 read at most of one file. */
const IO_MAX = 2 ** 31 - 1;

/** Pieces below SMALL that a file may come in: one that grows while it is read gives a few of them, a device none. */
const SHORT_PIECES = 1000;

/** Reads a file from start to end, or until `signal` is aborted. */
export function* readWhole(path: RemotePath, flags: number, signal?: AbortSignal): Work<Buffer> {
  const [bytes, opened] = yield* ask('readFile', path.path, toWireFlags(flags));
  if (bytes !== undefined) return asBuffer(bytes);
  const [id, stats] = opened as Opened;
  try {
    const size = Number(stats?.[8] ?? 0);
    // As Node, which takes no more than there was at first. Pipes and files of /proc say that they are empty.
    return yield* drain(id, -1, { size, most: size > 0 ? size : IO_MAX, signal });
  } finally {
    closeLater(path.target, id);
  }
}

/** Reads what is left of an open file, or until `signal` is aborted. */
export function* readRest(file: FarFile, signal?: AbortSignal): Work<Buffer> {
  const { reader } = file;
  if (reader === undefined) return yield* drain(file.id, -1, { size: 0, most: IO_MAX, signal });
  const bytes = reader.ahead.fresh()
    ? reader.ahead.read(Number.POSITIVE_INFINITY, reader.position)
    : undefined;
  const size = Math.max(0, reader.size - reader.position);
  const rest =
    bytes === undefined
      ? yield* drain(file.id, reader.position, { size, most: IO_MAX, signal })
      : asBuffer(bytes);
  reader.position += rest.length;
  return rest;
}

interface Content {
  /** What is expected, 0 if unknown. */
  readonly size: number;
  readonly most: number;
  readonly signal: AbortSignal | undefined;
}

/** Piece by piece, as neither side should hold more than it must. */
function* drain(id: number, position: number, { size, most, signal }: Content): Work<Buffer> {
  if (size > IO_MAX) throw tooLarge(size);
  let whole: Buffer | undefined;
  let total = 0;
  let short = 0;
  for (let end = false; !end; ) {
    const [piece, last] = yield* ask('drain', id, position < 0 ? -1 : position + total);
    if (last && total === 0) return asBuffer(piece).subarray(0, most);
    if (!last && piece.length < SMALL && ++short > SHORT_PIECES) throw endless();
    if (most === IO_MAX && total + piece.length > most) throw tooLarge(total + piece.length);
    const bytes = piece.subarray(0, most - total);
    whole = withRoom(whole, total, Math.max(size, total + bytes.length));
    whole.set(bytes, total);
    giveBack(piece);
    total += bytes.length;
    end = last || total === most || signal?.aborted === true;
  }
  return (whole as Buffer).subarray(0, total);
}

/** The same bytes in memory for `size` at least; twice as much as before where the size was not known. */
function withRoom(whole: Buffer | undefined, used: number, size: number): Buffer {
  if (whole === undefined) return Buffer.allocUnsafeSlow(size);
  if (size <= whole.length) return whole;
  const larger = Buffer.allocUnsafeSlow(Math.max(size, 2 * whole.length));
  whole.copy(larger, 0, 0, used);
  return larger;
}

function endless(): ElsewhereError {
  return new ElsewhereError(
    'ERR_ELSEWHERE_LIMIT',
    `the far side gives the file in more than ${SHORT_PIECES} pieces of less than ${SMALL} bytes: read it as a stream`,
  );
}

function tooLarge(size: number): Error {
  const error = new RangeError(`File size (${size}) is greater than 2 GiB`);
  return Object.assign(error, { code: 'ERR_FS_FILE_TOO_LARGE' });
}

/** What Node's `fs.readFile` keeps between its steps (lib/internal/fs/read/context.js, Node 20 to 26). */
interface ReadFileContext {
  isUserFd: boolean;
  size: number;
  pos: number;
  buffer: Buffer | null;
  buffers: Buffer[] | null;
  readonly callback: (error: unknown, data?: unknown) => void;
  readonly options?: { readonly buffer?: unknown };
  readonly signal?: AbortSignal;
  prepare?(): void;
  close(error?: Error): void;
}

/** The context of a request that `fs.readFile` made. */
export function readFileContext(request: Request | undefined): ReadFileContext | undefined {
  const context = request?.context as ReadFileContext | undefined;
  if (typeof context?.callback !== 'function' || context.isUserFd === undefined) return undefined;
  return context;
}

/**
 * Does all steps of `fs.readFile` at once. They must not be left to Node: its context captured the binding's own `read`
 * and `close` when it was first loaded, perhaps before anything was substituted.
 */
export function readIntoContext(
  request: Request | undefined,
  path: RemotePath,
  flags: number,
): Work {
  finishWith(request);
  return readWhole(path, flags, readFileContext(request)?.signal);
}

/** The same for a file that the program opened itself. */
export function readRestIntoContext(request: Request | undefined, file: FarFile): Work {
  finishWith(request);
  return readRest(file, readFileContext(request)?.signal);
}

/** The answer is the whole content, of which Node's own last step makes the result. */
export function finishWith(request: Request | undefined): void {
  const context = readFileContext(request);
  if (request === undefined || context === undefined) return;
  request.oncomplete = (error, bytes) => {
    if (error !== null && error !== undefined) context.callback(error);
    else finish(context, bytes as Buffer);
  };
}

/** Lets Node's own last step make the result: encoding, limits of strings, the caller's own buffer. */
function finish(context: ReadFileContext, bytes: Buffer): void {
  const { signal } = context;
  if (signal?.aborted === true) return context.callback(abortError(signal.reason));
  // The file is closed already: as with a descriptor of the program's own, `close` only finishes.
  context.isUserFd = true;
  context.size = bytes.length;
  try {
    fill(context, bytes);
  } catch (error) {
    return context.callback(error);
  }
  context.close();
}

function fill(context: ReadFileContext, bytes: Buffer): void {
  context.pos = bytes.length;
  if (context.options?.buffer !== undefined && context.prepare !== undefined) {
    // Throws if the caller's buffer is too small.
    context.prepare();
    bytes.copy(context.buffer as Buffer);
    return;
  }
  context.buffer = bytes;
  context.buffers = [];
}

/** As Node's own: its class is not public. */
function abortError(cause: unknown): Error {
  const error = new Error('The operation was aborted', { cause });
  return Object.assign(error, { code: 'ABORT_ERR', name: 'AbortError' });
}

/**
 * Pipes, terminals and other files that may have nothing to give yet. A thread of the pool that waits for one in the system
 * is missing to everybody's files, and holds up this process's end. So on Linux they are opened such that the system never
 * waits, and are asked again after a while.
 */
import fs from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { ElsewhereError } from '../../src/base/errors.ts';
import { systemError } from './errors.ts';

/** Milliseconds until it is asked again: twice as long each time, up to the longest. */
const FIRST_PAUSE = 1;
const LONGEST_PAUSE = 16;

const { O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY } = fs.constants;
const ACCESS = 3;

/** What the file needs `bits` of the mode for: it may be made meanwhile. */
export interface Opening {
  readonly path: fs.PathLike;
  readonly flags: number;
  readonly bits: number;
}

/**
 * Only Linux opens a descriptor's file once more (/proc/self/fd), which a child needs; and who asks for O_NONBLOCK wants
 * to hear that there is nothing yet.
 */
export function waitsByItself(flags: number): boolean {
  return process.platform === 'linux' && (flags & O_NONBLOCK) === 0;
}

/** Also waits for the other end of a named pipe. `over` says that nobody waits for it any more. */
export async function openWaiting(opening: Opening, over: () => boolean): Promise<WaitingFile> {
  const access = opening.flags & ACCESS;
  const opened = await again(over, 'open', () => openNow(opening));
  const file = new WaitingFile(opened, access);
  if (access === O_RDONLY && fs.fstatSync(opened).isFIFO())
    await again(over, 'open', () => (file.hasWriter() ? true : undefined)).catch((error) => {
      fs.closeSync(opened);
      throw error;
    });
  return file;
}

/** Undefined for a pipe that nobody reads yet. */
function openNow({ path, flags, bits }: Opening): number | undefined {
  try {
    return fs.openSync(path, flags | O_NONBLOCK, bits);
  } catch (error) {
    if (codeOf(error) === 'ENXIO' && (flags & ACCESS) === O_WRONLY && isPipe(path))
      return undefined;
    throw error;
  }
}

function isPipe(path: fs.PathLike): boolean {
  return fs.statSync(path, { throwIfNoEntry: false })?.isFIFO() === true;
}

export class WaitingFile {
  readonly descriptor: number;
  readonly #access: number;
  /** What was read to see whether a pipe has a writer. */
  #first: Buffer | undefined;
  #twin: number | undefined;
  #over = false;

  constructor(descriptor: number, access: number) {
    this.descriptor = descriptor;
    this.#access = access;
  }

  /** The end of a pipe without a writer is told at once, nothing to read yet is an error: so a byte tells. */
  hasWriter(): boolean {
    const bytes = Buffer.alloc(1);
    const read = unlessEmpty(() => fs.readSync(this.descriptor, bytes, 0, 1, null));
    if (read === 1) this.#first = bytes;
    return read !== 0;
  }

  /** Resolves with the number of bytes, 0 at the end. */
  read(
    bytes: Uint8Array,
    offset: number,
    length: number,
    position: number | bigint | null,
  ): Promise<number> {
    return again(this.#isOver, 'read', () => {
      const had = position === null && length > 0 ? this.#takeFirst(bytes, offset) : 0;
      const left = length - had;
      const read = unlessEmpty(() =>
        fs.readSync(this.descriptor, bytes, offset + had, left, position),
      );
      return had === 0 ? read : had + (read ?? 0);
    });
  }

  #takeFirst(bytes: Uint8Array, offset: number): number {
    if (this.#first === undefined) return 0;
    bytes.set(this.#first, offset);
    this.#first = undefined;
    return 1;
  }

  /** Resolves when all is written, as a write that waits does; or with less, if what follows fails. */
  async write(bytes: Uint8Array, position: number | null): Promise<number> {
    let done = 0;
    try {
      do {
        const at = position === null ? null : position + done;
        done += await again(this.#isOver, 'write', () =>
          unlessEmpty(() => fs.writeSync(this.descriptor, bytes, done, bytes.length - done, at)),
        );
      } while (done < bytes.length);
    } catch (error) {
      if (done === 0) throw error;
    }
    return done;
  }

  /** A descriptor of the same file, for a child: programs expect that reading waits. It is closed with this file. */
  forChild(): number {
    if (this.#first !== undefined)
      throw new ElsewhereError(
        'ERR_ELSEWHERE_UNSUPPORTED',
        'the pipe was read from while it was opened, so a child would miss its first byte: give the child its path',
      );
    this.#twin ??= openTwin(this.descriptor, this.#access);
    return this.#twin;
  }

  end(): void {
    this.#over = true;
    if (this.#twin !== undefined) fs.closeSync(this.#twin);
    this.#twin = undefined;
  }

  readonly #isOver = (): boolean => this.#over;
}

/** With both ends of a pipe held open, opening one more does not wait. */
function openTwin(descriptor: number, access: number): number {
  const path = `/proc/self/fd/${descriptor}`;
  const guard = fs.openSync(path, fs.fstatSync(descriptor).isFIFO() ? O_RDWR | O_NONBLOCK : access);
  try {
    return fs.openSync(path, access);
  } finally {
    fs.closeSync(guard);
  }
}

/** Asks until there is an answer. */
async function again<T>(
  over: () => boolean,
  syscall: string,
  ask: () => T | undefined,
): Promise<T> {
  for (let wait = FIRST_PAUSE; ; wait = Math.min(wait * 2, LONGEST_PAUSE)) {
    if (over()) throw systemError({ code: 'EBADF', syscall });
    const answer = ask();
    if (answer !== undefined) return answer;
    await pause(wait, undefined, { ref: false });
  }
}

function unlessEmpty<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (codeOf(error) === 'EAGAIN') return undefined;
    throw error;
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}

/**
 * Reading and writing on the far side: at once for small pieces of regular files, in the thread pool for others of theirs,
 * and for files that may have to wait as they do it.
 */
import fs from 'node:fs';
import { promisify } from 'node:util';
import { lendUntilSent, sent } from '../../src/base/spare-memory.ts';
import { MAX_PIECE, SMALL } from './api.ts';
import type { HeldFile } from './remote-files.ts';
import type { WaitingFile } from './remote-waiting.ts';

/** Carries out one of two ways to do the same. Tests in one process have no other thread to wait for. */
export type Choose = <T>(now: () => T, later: () => Promise<T>, small: boolean) => T | Promise<T>;

export function choosing(alwaysNow: boolean): Choose {
  return (now, later, small) => (small || alwaysNow ? now() : later());
}

const readLater = promisify(fs.read);
const writeLater = promisify(fs.write);

type Position = number | bigint | null;

async function readSome(
  { descriptor, waiting }: Pick<HeldFile, 'descriptor' | 'waiting'>,
  bytes: Buffer,
  offset: number,
  position: Position,
): Promise<number> {
  const length = bytes.length - offset;
  if (waiting !== undefined) return await waiting.read(bytes, offset, length, position);
  // The types of fs.read lack bigint.
  const at = position as number | null;
  return (await readLater(descriptor, bytes, offset, length, at)).bytesRead;
}

/** The current position is null for Node. */
const positionOf = (position: number | bigint): number | bigint | null =>
  position < 0 ? null : position;

async function busy<T>(file: HeldFile, work: () => Promise<T>): Promise<T> {
  file.busy++;
  try {
    return await work();
  } finally {
    file.busy--;
  }
}

const atOnce = (file: HeldFile, length: number): boolean =>
  file.regular && file.busy === 0 && length <= SMALL;

export function read(
  choose: Choose,
  file: HeldFile,
  asked: number,
  position: number | bigint,
): Uint8Array | Promise<Uint8Array> {
  const length = Math.min(asked, MAX_PIECE);
  const at = positionOf(position);
  return choose(
    () => {
      const bytes = Buffer.allocUnsafe(length);
      return bytes.subarray(0, fs.readSync(file.descriptor, bytes, 0, length, at));
    },
    () =>
      busy(file, async () => {
        const bytes = lendUntilSent(length);
        return filled(bytes, await readSome(file, bytes, 0, at));
      }),
    atOnce(file, length),
  );
}

/** What was read. A little of it travels in the answer itself, and need not hold the memory. */
function filled(bytes: Buffer, count: number): Uint8Array {
  if (count > SMALL) return bytes.subarray(0, count);
  const part = Buffer.from(bytes.subarray(0, count));
  sent(bytes);
  return part;
}

/** Moves the file's position, which only reading does. */
export function skipBytes(file: HeldFile, count: number): void {
  const bytes = Buffer.allocUnsafe(Math.min(count, SMALL));
  for (let left = count; left > 0; ) {
    const read = fs.readSync(file.descriptor, bytes, 0, Math.min(left, bytes.length), null);
    if (read === 0) return;
    left -= read;
  }
}

export function write(
  choose: Choose,
  file: HeldFile,
  bytes: Uint8Array,
  position: number | bigint,
): number | Promise<number> {
  // A bigint position only comes with reads: Node takes numbers here.
  const at = positionOf(position) as number | null;
  return choose(
    () => fs.writeSync(file.descriptor, bytes, 0, bytes.length, at),
    () =>
      busy(
        file,
        async () =>
          file.waiting?.write(bytes, at) ??
          (await writeLater(file.descriptor, bytes, 0, bytes.length, at)).bytesWritten,
      ),
    atOnce(file, bytes.length),
  );
}

/** The whole content of a small regular file, undefined if it is none, or changes while it is read. */
export function readHead(descriptor: number, size: number): Uint8Array | undefined {
  if (size > SMALL) return undefined;
  // Files of /proc say that they are empty, and give a piece at a time.
  const bytes = Buffer.allocUnsafe(size === 0 ? SMALL : size);
  let total = 0;
  try {
    for (let read = -1; read !== 0 && total < bytes.length; total += read) {
      read = fs.readSync(descriptor, bytes, total, bytes.length - total, total);
    }
  } catch {
    return undefined;
  }
  const whole = size === 0 ? total < bytes.length : total === size;
  return whole ? bytes.subarray(0, total) : undefined;
}

const UNKNOWN = 1024 * 1024;

/** Room for what may be left of a file, in one piece of memory: nothing has to be joined afterwards. */
function roomFor(descriptor: number): Buffer {
  const { size } = fs.fstatSync(descriptor);
  // One byte more than there is, to see the end in the same go. Pipes and files of /proc say that they are empty.
  return lendUntilSent(size === 0 ? UNKNOWN : Math.min(MAX_PIECE, size + 1));
}

/** From a position on (-1: the current one): at most MAX_PIECE, and whether the end was reached. */
export function drainNow(descriptor: number, position: number): [Uint8Array, boolean] {
  const bytes = roomFor(descriptor);
  for (let total = 0; total < bytes.length; ) {
    const at = position < 0 ? null : position + total;
    const read = fs.readSync(descriptor, bytes, total, bytes.length - total, at);
    if (read === 0) return [filled(bytes, total), true];
    total += read;
  }
  return [bytes, false];
}

export async function drainLater(file: HeldFile, position: number): Promise<[Uint8Array, boolean]> {
  const { descriptor } = file;
  return await busy(file, async () => {
    const bytes = roomFor(descriptor);
    for (let total = 0; total < bytes.length; ) {
      const at = position < 0 ? null : position + total;
      const bytesRead = await readSome(file, bytes, total, at);
      if (bytesRead === 0) return [filled(bytes, total), true] as [Uint8Array, boolean];
      total += bytesRead;
    }
    return [bytes, false] as [Uint8Array, boolean];
  });
}

/** Exactly `size` bytes, fewer if the file ends before. */
export async function readExactly(descriptor: number, size: number): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafeSlow(size);
  let total = 0;
  while (total < size) {
    const { bytesRead } = await readLater(descriptor, bytes, total, size - total, null);
    if (bytesRead === 0) break;
    total += bytesRead;
  }
  return bytes.subarray(0, total);
}

export function writeAllNow(descriptor: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) done += fs.writeSync(descriptor, bytes, done);
}

export async function writeAllLater(
  descriptor: number,
  bytes: Uint8Array,
  waiting: WaitingFile | undefined,
): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += waiting
      ? await waiting.write(bytes.subarray(done), null)
      : (await writeLater(descriptor, bytes, done, bytes.length - done, null)).bytesWritten;
  }
}

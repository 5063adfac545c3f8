/**
 * Blobs of far files. Node's own blob of a file reads when it is used and refuses once the file has changed. This one has
 * read when it was made, and refuses likewise: each use asks whether the file is still what it was.
 */
import fs from 'node:fs';
import { isElsewhereError } from '../../src/base/errors.ts';
import type { FsTarget, WireStats } from './api.ts';
import { promised } from './dispatch.ts';
import type { RemotePath } from './paths.ts';
import { readWhole } from './read-file.ts';
import { ask, type Work } from './work.ts';

/** Places in the stats: size, then seconds and nanoseconds of the last modification. */
const WATCHED = [8, 12, 13] as const;

export function* openBlob(path: RemotePath, flags: number, type: string): Work<Blob> {
  const before = yield* statOf(path);
  const bytes = yield* readWhole(path, flags);
  return fileBacked(new Blob([bytes], { type }), () => unchanged(path, before));
}

/** Until Node 26, which has a blocking form too, whatever is wrong with a file was one error. */
function* statOf({ path }: RemotePath): Work<WireStats> {
  try {
    return yield* ask('stat', path);
  } catch (error) {
    const isOurs = isElsewhereError(error) || (error as Error).cause !== undefined;
    if (isOurs || 'openAsBlobSync' in fs) throw error;
    const code = 'ERR_INVALID_ARG_VALUE';
    throw Object.assign(new TypeError('Unable to open file as blob'), { code });
  }
}

/** Rejects with what Node's own blob rejects with. */
async function unchanged({ target, path }: RemotePath, before: WireStats): Promise<void> {
  const now = await lookAgain(target, path);
  if (WATCHED.every((at) => now[at] === before[at])) return;
  throw notReadable();
}

async function lookAgain(target: FsTarget, path: RemotePath['path']): Promise<WireStats> {
  try {
    const task = { target, work: ask('stat', path), shown: { syscall: 'stat' } };
    return (await promised(task)) as WireStats;
  } catch (error) {
    throw notReadable(error);
  }
}

function notReadable(cause?: unknown): DOMException {
  const error = new DOMException('The blob could not be read', 'NotReadableError');
  if (cause !== undefined) Object.defineProperty(error, 'cause', { value: cause });
  return error;
}

/** The same object; `check` comes before all that gives out its content. Combined into another blob it is a copy. */
function fileBacked(blob: Blob, check: () => Promise<void>): Blob {
  const plain = Blob.prototype as Blob & { bytes?(): Promise<Uint8Array> };
  const { arrayBuffer, slice, stream } = plain;
  // Asked once: Node's own ways to the content go through each other.
  const whole = async (): Promise<ArrayBuffer> => {
    await check();
    return arrayBuffer.call(blob);
  };
  const members: Record<PropertyKey, unknown> = {
    slice: (...range: Parameters<Blob['slice']>) =>
      fileBacked(Reflect.apply(slice, blob, range), check),
    stream: () => checkedStream(Reflect.apply(stream, blob, []), check),
    arrayBuffer: whole,
    text: async () => new TextDecoder().decode(await whole()),
  };
  if (plain.bytes !== undefined) members['bytes'] = async () => new Uint8Array(await whole());
  const clone = Object.getOwnPropertySymbols(plain).find(
    ({ description }) => description === 'messaging_clone_symbol',
  );
  if (clone !== undefined) members[clone] = refuseClone;
  for (const key of Reflect.ownKeys(members))
    Object.defineProperty(blob, key, { value: members[key], configurable: true, writable: true });
  return blob;
}

function checkedStream(
  content: ReadableStream,
  check: () => Promise<void>,
): ReadableStream<Uint8Array> {
  const reader = content.getReader();
  return new ReadableStream({
    type: 'bytes',
    async pull(controller) {
      await check();
      const { done, value } = await reader.read();
      if (!done) return controller.enqueue(value);
      controller.close();
      controller.byobRequest?.respond(0);
    },
    cancel: (reason) => reader.cancel(reason),
  });
}

function refuseClone(): never {
  throw Object.assign(new TypeError('Invalid state: File-backed Blobs are not cloneable'), {
    code: 'ERR_INVALID_STATE',
  });
}

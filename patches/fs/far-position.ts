/** Where the program is in a far file, while part of the file was sent along with `open`. */
import type { FarDescriptor } from '../../src/base/far-handles.ts';
import { type FarFile, openFile } from './descriptors.ts';

/** Reads from what came along: that is the whole file, so a short answer is its end. Undefined if it is stale. */
export function readAhead(
  file: FarFile,
  into: Uint8Array,
  position: number | bigint,
): number | undefined {
  const { ahead } = file;
  if (ahead === undefined) return undefined;
  const bytes = ahead.fresh() ? ahead.read(into.length, Number(position)) : undefined;
  if (bytes === undefined) {
    dropAhead(file);
    return undefined;
  }
  into.set(bytes);
  return bytes.length;
}

/** What was taken at the current position has not moved the far side's. */
export function dropAhead(file: FarFile): void {
  if (file.ahead === undefined) return;
  file.skip += file.ahead.position;
  file.ahead = undefined;
}

/** How far the far side's position must move before the next read there; it does so with that read. */
export function takeSkip(file: FarFile): number {
  dropAhead(file);
  const { skip } = file;
  file.skip = 0;
  return skip;
}

/** For other patches that use an open far file over there. */
export function farFileOf(descriptor: number): FarDescriptor | undefined {
  const file = openFile(descriptor);
  if (file?.kind !== 'far') return undefined;
  const { target, id } = file;
  const settle = (): void => {
    const skip = takeSkip(file);
    if (skip > 0) target.callSync('read', id, 0, -1, skip);
  };
  return { connection: target.connection, id, settle };
}

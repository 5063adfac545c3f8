/** Open far files for other patches, which use them over there. */
import type { FarDescriptor } from '../../src/base/far-handles.ts';
import { duplicate, openFile } from './descriptors.ts';

export function farFileOf(descriptor: number): FarDescriptor | undefined {
  const file = openFile(descriptor);
  if (file?.kind !== 'far') return undefined;
  const { target, id } = file;
  const settle = (): void => {
    const { reader } = file;
    if (reader === undefined) return;
    // Who gets the file shares its position from now on, so that the far side's counts.
    file.reader = undefined;
    if (reader.position > 0) target.callSync('advance', id, reader.position);
  };
  return { connection: target.connection, id, settle, duplicate: () => duplicate(file) };
}

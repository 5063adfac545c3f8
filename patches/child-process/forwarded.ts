/** What the stdio of a child that runs here leads to, where that is no descriptor of this process. */
import fs from 'node:fs';
import { Readable, Writable } from 'node:stream';
import { farDescriptor, type StandardFile, standardFile } from '../../src/base/far-handles.ts';
import type { NativeStdio } from './binding.ts';

/** Entry `index` of the child's stdio. The child has a pipe for it. */
export interface Forwarded {
  readonly index: number;
  readable(): Readable;
  writable(): Writable;
  /** For the blocking form: what the child can read. */
  content(): Uint8Array;
  put(bytes: Uint8Array): void;
  /** Unless one of the streams was made, which closes it. */
  close(): void;
}

/** `standards`: also what 0, 1 and 2 mean in this scope: a child that has a scope of its own finds that by itself. */
export function forwardedEntries(stdio: readonly NativeStdio[], standards: boolean): Forwarded[] {
  // Outside scopes Node's own code refuses what is no list.
  if (!Array.isArray(stdio)) return [];
  return (stdio as readonly NativeStdio[]).flatMap(({ fd }, index) => {
    if (fd === undefined) return [];
    if (fd > 2) return farFile(index, fd);
    const standard = standards ? standardFile(fd) : undefined;
    return standard === undefined ? [] : [standardStream(index, standard)];
  });
}

/** With a descriptor of its own. */
function farFile(index: number, fd: number): Forwarded[] {
  const file = farDescriptor(fd);
  if (file === undefined) return [];
  const descriptor = file.duplicate();
  return [
    {
      index,
      readable: () => fs.createReadStream('', { fd: descriptor }),
      writable: () => fs.createWriteStream('', { fd: descriptor }),
      content: () => fs.readFileSync(descriptor),
      put: (bytes) => void fs.writeSync(descriptor, bytes),
      close: () => fs.closeSync(descriptor),
    },
  ];
}

function standardStream(index: number, standard: StandardFile): Forwarded {
  return {
    index,
    readable: () =>
      new Readable({
        read(size) {
          standard.read(size, (error, bytes) => {
            if (error) this.destroy(error as Error);
            else this.push(bytes?.length ? bytes : null);
          });
        },
      }),
    writable: () =>
      new Writable({ write: (chunk: Buffer, _encoding, done) => standard.write(chunk, done) }),
    // Its next bytes are made by the very event loop that waits for the child.
    content: () => new Uint8Array(0),
    put: (bytes) => standard.writeSync(bytes),
    close: () => undefined,
  };
}

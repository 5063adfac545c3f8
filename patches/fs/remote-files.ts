/** What a peer holds open here: files and directories by number. They are closed with the session. */
import fs from 'node:fs';
import { systemError } from './errors.ts';
import type { WaitingFile } from './remote-waiting.ts';

/** An open file of the peer. */
export interface HeldFile {
  readonly descriptor: number;
  /** A regular file answers at once; pipes and devices may block, so they are left to the thread pool. */
  readonly regular: boolean;
  /** Reads and writes what would have to wait in the thread pool. */
  readonly waiting: WaitingFile | undefined;
  /** Operations in the thread pool. What comes while there are some goes there too, as it would locally. */
  busy: number;
}

/** As many as a process may usually have at most; the peer gets the error that it would get locally. */
const MOST = 16_384;

export class Held {
  readonly #files = new Map<number, HeldFile>();
  readonly #directories = new Map<number, fs.Dir>();
  #lastId = 0;
  #over = false;

  /** The session has ended: nobody waits any more. */
  get over(): boolean {
    return this.#over;
  }

  addFile(descriptor: number, regular: boolean, waiting?: WaitingFile): number {
    const id = this.#newId();
    this.#files.set(id, { descriptor, regular, waiting, busy: 0 });
    return id;
  }

  addDirectory(directory: fs.Dir): number {
    const id = this.#newId();
    this.#directories.set(id, directory);
    return id;
  }

  #newId(): number {
    this.#lastId += 1;
    return this.#lastId;
  }

  /** Throws before anything is opened that could not be kept. */
  checkRoom(): void {
    if (this.#files.size + this.#directories.size >= MOST)
      throw systemError({ code: 'EMFILE', syscall: 'open' });
  }

  file(id: number, syscall: string): HeldFile {
    const file = this.#files.get(id);
    if (file === undefined) throw systemError({ code: 'EBADF', syscall });
    return file;
  }

  /** The system's number of an open file, for a child. */
  descriptor(id: number): number | undefined {
    const file = this.#files.get(id);
    return file?.waiting?.forChild() ?? file?.descriptor;
  }

  takeFile(id: number): HeldFile {
    const file = this.file(id, 'close');
    this.#files.delete(id);
    file.waiting?.end();
    return file;
  }

  directory(id: number): fs.Dir {
    const directory = this.#directories.get(id);
    if (directory === undefined) throw systemError({ code: 'EBADF', syscall: 'scandir' });
    return directory;
  }

  closeDirectory(id: number): void {
    const directory = this.directory(id);
    this.#directories.delete(id);
    directory.closeSync();
  }

  /** Closes files without an answer; those that are not there are no failure. */
  discard(ids: readonly number[]): void {
    for (const id of ids) {
      const file = this.#files.get(id);
      if (file === undefined) continue;
      this.#files.delete(id);
      file.waiting?.end();
      closeQuietly(file.descriptor);
    }
  }

  closeAll(): void {
    this.#over = true;
    this.discard([...this.#files.keys()]);
    for (const directory of this.#directories.values()) directory.close().catch(() => undefined);
    this.#directories.clear();
  }
}

export function closeQuietly(descriptor: number): void {
  try {
    fs.closeSync(descriptor);
  } catch {
    // Nobody waits for it.
  }
}

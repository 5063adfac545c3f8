/** fs.Dir over a listing of the far side: the real class with a handle of ours. */
import { Dir, type OpenDirOptions } from 'node:fs';
import { localError } from './errors.ts';
import type { PathRoute } from './paths.ts';
import { encoded, listing } from './values.ts';

/** Names as bytes, and their UV_DIRENT types. */
export interface Entries {
  readonly names: readonly Buffer[];
  readonly types: readonly number[];
}

type Callable = (...args: never[]) => unknown;

export function listEntries(route: PathRoute, path: unknown, above: Callable): Entries {
  try {
    return entriesOf(route.target.callSync('readdir', route.path));
  } catch (error) {
    throw asOpendir(error, path, above);
  }
}

export async function readEntries(route: PathRoute, path: unknown): Promise<Entries> {
  route.target.hold();
  try {
    return entriesOf(await route.target.call('readdir', route.path));
  } catch (error) {
    throw asOpendir(error, path, undefined);
  } finally {
    route.target.release();
  }
}

function entriesOf(found: Parameters<typeof listing>[0]): Entries {
  const [names, types] = listing(found, 'buffer', true) as [Buffer[], number[]];
  return { names, types };
}

/** The far side lists at once, so it is scandir that fails there; to the caller it is opendir. */
function asOpendir(error: unknown, path: unknown, above: Callable | undefined): unknown {
  const { code } = error as NodeJS.ErrnoException;
  return localError(Object.assign(error as Error, { code, syscall: 'opendir' }), {
    path,
    ...(above === undefined ? {} : { above }),
  });
}

interface DirRequest {
  oncomplete(error: unknown, value?: unknown): void;
}

/** What lib/internal/fs/dir.js calls on its native handle: names and types in one list, null at the end. */
class ListedHandle {
  readonly #entries: Entries;
  #at = 0;

  constructor(entries: Entries) {
    this.#entries = entries;
  }

  read(encoding: unknown, count: number, request?: DirRequest): unknown {
    const result = this.#next(encoding, count);
    if (request === undefined) return result;
    setImmediate(() => request.oncomplete(null, result));
    return undefined;
  }

  #next(encoding: unknown, count: number): unknown[] | null {
    const { names, types } = this.#entries;
    if (this.#at >= names.length) return null;
    const list: unknown[] = [];
    for (const end = Math.min(this.#at + count, names.length); this.#at < end; this.#at++) {
      list.push(encoded(names[this.#at] as Buffer, encoding), types[this.#at]);
    }
    return list;
  }

  close(request?: DirRequest): void {
    if (request !== undefined) setImmediate(() => request.oncomplete(null));
  }
}

type DirClass = new (handle: object, path: unknown, options: OpenDirOptions) => Dir;

export function makeDir(entries: Entries, path: unknown, options: OpenDirOptions): Dir {
  return new (Dir as unknown as DirClass)(new ListedHandle(entries), path, options);
}

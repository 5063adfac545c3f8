/** `opendir` in its three forms: Node's own `Dir`, over a handle whose entries come from the far side. */
import fs from 'node:fs';
import { posix } from 'node:path';
import type { DirectoryPage, FsContext, FsTarget } from './api.ts';
import type { Request } from './binding.ts';
import { blocking, withCallback } from './dispatch.ts';
import { isLoading } from './loader.ts';
import { planned } from './path-operations.ts';
import { givenPath, placeHere, type RemotePath, remotePath } from './paths.ts';
import {
  blockingForm,
  callbackForm,
  encodingOf,
  promiseForm,
  replaceFunction,
  type TaskOf,
} from './public-forms.ts';
import { decodeName } from './values.ts';
import { ask, known, type Task, type Work } from './work.ts';

interface Entry {
  readonly name: Uint8Array;
  readonly type: number;
}

type DirClass = new (handle: object, path: unknown, options: unknown) => fs.Dir;

export function replaceDirectories(context: FsContext): void {
  replaceFunction(context, fs, 'opendirSync', blockingForm(context, opendirTask(context, false)));
  const withPath = opendirTask(context, true);
  replaceFunction(context, fs, 'opendir', callbackForm(context, withPath));
  replaceFunction(context, fs.promises, 'opendir', promiseForm(context, withPath));
}

/** Node's blocking form has no path in its error, the others have. */
function opendirTask(context: FsContext, showPath: boolean): TaskOf {
  return (args) => {
    const [first, options] = args;
    const given = givenPath(first);
    if (given === undefined || encodingOf(options) === undefined || isLoading()) return undefined;
    const shown = showPath
      ? { syscall: 'opendir', path: given, pathAlways: true }
      : { syscall: 'opendir' };
    return planned(context, shown, () => {
      const path = remotePath(context, given, 'opendir');
      if (path === undefined) {
        placeHere(context, args, 0);
        return undefined;
      }
      return {
        target: path.target,
        shown,
        work: opendir(path, first instanceof URL ? given : first, options),
      };
    });
  };
}

function* opendir(path: RemotePath, given: unknown, options: unknown): Work<fs.Dir> {
  const recursive =
    typeof options === 'object' && (options as { recursive?: unknown } | null)?.recursive === true;
  const page = yield* ask('opendir', path.path, recursive);
  const handle = new DirectoryHandle(path.target, page);
  const Dir = fs.Dir as unknown as DirClass;
  if (!recursive) return new Dir(handle, given, options);
  // Node would open the directories below through a binding that cannot be substituted, so the handle lists them all.
  return new (treeClass(Dir))(handle, given, { ...(options as object), recursive: false });
}

/** What Node's `Dir` calls: `read(encoding, count, request)` and `close(request)`, without a request to block. */
class DirectoryHandle {
  readonly #target: FsTarget;
  #entries: Entry[] = [];
  /** The far side's directory, as long as there may be more. */
  #id: number | undefined;

  constructor(target: FsTarget, page: DirectoryPage) {
    this.#target = target;
    this.#take(page);
  }

  /** Node 20 gives `context` to take the error. */
  read(encoding: unknown, count: number, request?: Request, context?: object): unknown {
    return this.#run(this.#read(encoding, count), this.read, request, context);
  }

  close(request?: Request, context?: object): unknown {
    const id = this.#id;
    this.#id = undefined;
    this.#entries = [];
    const work = id === undefined ? known(undefined) : ask('closeDirectory', id);
    return this.#run(work, this.close, request, context);
  }

  *#read(encoding: unknown, count: number): Work {
    if (this.#entries.length === 0 && this.#id !== undefined)
      this.#take(yield* ask('readDirectory', this.#id));
    if (this.#entries.length === 0) return null;
    return this.#entries
      .splice(0, count)
      .flatMap(({ name, type }) => [decodeName(name, encoding), type]);
  }

  #take([names, types, id]: DirectoryPage): void {
    this.#id = id;
    let start = 0;
    for (const type of types) {
      const found = names.indexOf(0, start);
      const end = found === -1 ? names.length : found;
      this.#entries.push({ name: names.subarray(start, end), type });
      start = end + 1;
    }
  }

  #run(
    work: Work,
    below: (...args: never[]) => unknown,
    request?: Request,
    context?: object,
  ): unknown {
    const task: Task = { target: this.#target, work, shown: { syscall: 'scandir', file: true } };
    if (request === undefined) return blocking(task, below, context);
    withCallback(task, (error, value) => request.oncomplete(error ?? null, value));
    return undefined;
  }
}

type ReadCallback = (error: NodeJS.ErrnoException | null, entry: fs.Dirent | null) => void;

/** A `Dir` whose names are paths relative to it: each entry is put into its own directory. */
function treeClass(Base: DirClass): DirClass {
  return class Dir extends Base {
    override read(callback?: ReadCallback): never {
      const { path } = this;
      if (callback === undefined) return super.read().then((entry) => placed(entry, path)) as never;
      return super.read((error, entry) => callback(error, placed(entry, path))) as never;
    }

    override readSync(): fs.Dirent | null {
      return placed(super.readSync(), this.path);
    }

    async *entries(): AsyncGenerator<fs.Dirent> {
      const inherited = Base.prototype as { entries(): AsyncIterable<fs.Dirent> };
      for await (const entry of inherited.entries.call(this)) yield placed(entry, this.path);
    }

    override [Symbol.asyncIterator](): NodeJS.AsyncIterator<fs.Dirent> {
      return this.entries() as NodeJS.AsyncIterator<fs.Dirent>;
    }
  };
}

function placed<T extends fs.Dirent | null>(entry: T, base: string): T {
  if (entry === null || typeof entry.name !== 'string' || !entry.name.includes('/')) return entry;
  const parentPath = posix.join(String(base), posix.dirname(entry.name));
  const place: { name: string; parentPath: string; path?: string } = entry;
  place.name = posix.basename(entry.name);
  place.parentPath = parentPath;
  if (Object.hasOwn(place, 'path')) place.path = parentPath;
  return entry;
}

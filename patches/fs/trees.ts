/**
 * Functions that Node carries out in many steps, one call to the far side for each: resolving links, removing a tree,
 * listing a tree. In a scope they are one call. Options that are not plain are left to Node, which then goes step by step.
 */
import fs from 'node:fs';
import { posix } from 'node:path';
import type { FsApi, FsContext, Names, WirePath } from './api.ts';
import { isLoading } from './loader.ts';
import { noteChange } from './open-ahead.ts';
import { planned } from './path-operations.ts';
import { emptyAsDirectory, givenPath, type RemotePath, remotePath } from './paths.ts';
import {
  blockingForm,
  callbackForm,
  encodingOf,
  type PublicFunction,
  promiseForm,
  replaceFunction,
  type TaskOf,
} from './public-forms.ts';
import { decodeName, decodeNames, Entry } from './values.ts';
import { ask, type Shown, type Work } from './work.ts';

export function replaceTrees(context: FsContext, hasRecursiveBinding: boolean): void {
  const realpath = realpathTask(context);
  replaceFunction(context, fs, 'realpathSync', (original) =>
    keepingLoader(context, original, blockingForm(context, realpath)(original)),
  );
  replaceFunction(context, fs, 'realpath', callbackForm(context, realpath));
  const remove = removeTask(context);
  replaceFunction(context, fs, 'rmSync', blockingForm(context, remove));
  replaceFunction(context, fs, 'rm', callbackForm(context, remove));
  replaceFunction(context, fs.promises, 'rm', promiseForm(context, remove));
  // Node 26 lists trees in its binding.
  if (hasRecursiveBinding) return;
  replaceFunction(context, fs, 'readdirSync', blockingForm(context, listTask(context, true)));
  const list = listTask(context, false);
  replaceFunction(context, fs, 'readdir', callbackForm(context, list));
  replaceFunction(context, fs.promises, 'readdir', promiseForm(context, list));
}

/** The module loader hands its own cache over, under a symbol. */
function keepingLoader(
  context: FsContext,
  original: PublicFunction,
  replacement: PublicFunction,
): PublicFunction {
  return function (this: unknown, ...args: unknown[]): unknown {
    // Not taken apart, which a program may have made impossible (`delete Array.prototype[Symbol.iterator]`).
    const options = args[1];
    const cached =
      typeof options === 'object' &&
      options !== null &&
      Object.getOwnPropertySymbols(options).length > 0;
    if (cached || isLoading()) return context.locally(() => original.apply(this, args));
    return replacement.apply(this, args);
  };
}

interface TreeTask {
  readonly name: string;
  readonly shown?: Partial<Shown>;
  readonly changes?: boolean;
  readonly work: (path: RemotePath, given: WirePath, options: unknown) => Work | undefined;
}

function treeTask(context: FsContext, { name, shown, changes, work }: TreeTask): TaskOf {
  return ([first, options]) => {
    const given = givenPath(first);
    if (given === undefined || isLoading()) return undefined;
    const look: Shown = { syscall: name, path: given, ...shown };
    return planned(context, look, () => {
      const path = remotePath(context, given, name);
      if (path?.target.scope.stepwise === true && name !== 'realpath') return undefined;
      const found = path === undefined ? undefined : work(path, given, options);
      if (path === undefined || found === undefined) return undefined;
      if (changes === true) noteChange(path.target);
      return { target: path.target, shown: look, work: found };
    });
  };
}

function realpathTask(context: FsContext): TaskOf {
  return treeTask(context, {
    name: 'realpath',
    // Node names the component that failed, with its whole path.
    shown: { ownPath: true },
    work: (path, _given, options) => {
      const encoding = encodingOf(options);
      return encoding === undefined ? undefined : realpath(path, encoding);
    },
  });
}

function* realpath(given: RemotePath, encoding: string): Work {
  const { path } = emptyAsDirectory(given);
  return decodeName(yield* ask('realpath', path, false), encoding);
}

function removeTask(context: FsContext): TaskOf {
  return treeTask(context, {
    name: 'rm',
    shown: { ownPath: true },
    changes: true,
    work: (path, given, options) => {
      if (typeof options !== 'object' || options === null) return undefined;
      // Node refuses an option that is there and undefined.
      const { recursive, force, maxRetries, retryDelay } = { ...REMOVAL, ...options };
      if (
        recursive !== true ||
        typeof force !== 'boolean' ||
        !isCount(maxRetries, 2 ** 32) ||
        !isCount(retryDelay, 2 ** 31)
      )
        return undefined;
      return remove(path, given, { force, maxRetries, retryDelay });
    },
  });
}

const REMOVAL = { recursive: false, force: false, maxRetries: 0, retryDelay: 100 };

const isCount = (value: unknown, limit: number): value is number =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) < limit;

function* remove(
  path: RemotePath,
  given: WirePath,
  options: Parameters<FsApi['remove']>[1],
): Work<void> {
  try {
    yield* ask('remove', path.path, options);
  } catch (error) {
    throw renamed(error, path.path, given);
  }
}

/** The error names something in the tree, below the path as the caller wrote it. */
function renamed(error: unknown, path: WirePath, given: WirePath): unknown {
  const named = error as { path?: unknown };
  const start = String(path);
  if (error instanceof Error && typeof named.path === 'string' && named.path.startsWith(start)) {
    named.path = String(given) + named.path.slice(start.length);
  }
  return error;
}

function listTask(context: FsContext, blocking: boolean): TaskOf {
  return treeTask(context, {
    name: 'scandir',
    work: (path, given, options) => {
      if (typeof options !== 'object' || options === null || typeof given !== 'string')
        return undefined;
      const { recursive, withFileTypes } = options as {
        recursive?: unknown;
        withFileTypes?: unknown;
      };
      if (recursive !== true || !['utf8', 'utf-8'].includes(encodingOf(options) ?? ''))
        return undefined;
      return list(path, given, Boolean(withFileTypes), blocking);
    },
  });
}

function* list(path: RemotePath, given: string, withTypes: boolean, blocking: boolean): Work {
  const found = yield* ask('readdirRecursive', path.path, withTypes, blocking);
  return withTypes ? entries(found, given) : decodeNames(found[0], 'utf8');
}

function entries([names, types]: Names, base: string): fs.Dirent[] {
  return decodeNames(names, 'utf8').map((name, index) => {
    const parent = posix.dirname(String(name));
    const path = parent === '.' ? base : posix.join(base, parent);
    return new Entry(posix.basename(String(name)), types?.[index] ?? 0, path);
  });
}

/**
 * `glob`, `globSync` and `promises.glob` (Node 22 and later) of far files in one call: the far side walks. With a
 * function that excludes, or where the scope denies paths, Node's own code here walks step by step.
 */
import fs from 'node:fs';
import { posix } from 'node:path';
import type { FsContext, GlobOptions } from './api.ts';
import { blocking, promised, withCallback } from './dispatch.ts';
import { isLoading } from './loader.ts';
import { planned } from './path-operations.ts';
import { emptyAsDirectory, givenPath, remotePath } from './paths.ts';
import { type PublicFunction, replaceFunction } from './public-forms.ts';
import { decodeNames, Entry } from './values.ts';
import { ask, type Task, type Work } from './work.ts';

export function replaceGlobbing(context: FsContext): void {
  const taskOf: TaskOf = (args, named) =>
    context.target() === undefined || isLoading() ? undefined : globTask(context, args, named);
  replaceFunction(context, fs, 'globSync', (original) => blockingGlob(original, taskOf));
  replaceFunction(context, fs, 'glob', (original) => globWithCallback(original, taskOf));
  replaceFunction(context, fs.promises, 'glob', (original) => iteratedGlob(original, taskOf));
}

/** Node names directories by their whole path, but in its blocking form as the caller named the first. */
type Named = 'whole' | 'as given';
type TaskOf = (args: readonly unknown[], named: Named) => Task | undefined;

function blockingGlob(original: PublicFunction, taskOf: TaskOf): PublicFunction {
  return function replacement(this: unknown, ...args: unknown[]): unknown {
    const task = taskOf(args, 'as given');
    return task === undefined ? original.apply(this, args) : blocking(task, replacement);
  };
}

function globWithCallback(original: PublicFunction, taskOf: TaskOf): PublicFunction {
  return function (this: unknown, ...args: unknown[]): unknown {
    const callback = args.at(-1);
    const task = typeof callback === 'function' ? taskOf(args.slice(0, -1), 'whole') : undefined;
    if (task === undefined) return original.apply(this, args);
    withCallback(task, (error, names) =>
      error === undefined
        ? (callback as PublicFunction)(null, names)
        : (callback as PublicFunction)(error),
    );
    return undefined;
  };
}

function iteratedGlob(original: PublicFunction, taskOf: TaskOf): PublicFunction {
  return function (this: unknown, ...args: unknown[]): unknown {
    const task = taskOf(args, 'whole');
    if (task === undefined) return original.apply(this, args);
    return (async function* () {
      yield* (await promised(task)) as (string | fs.Dirent)[];
    })();
  };
}

function globTask(
  context: FsContext,
  [pattern, options]: readonly unknown[],
  named: Named,
): Task | undefined {
  const patterns = typeof pattern === 'string' ? [pattern] : pattern;
  const plain = plainOptions(options);
  if (plain === undefined || !isTexts(patterns)) return undefined;
  const { cwd } = plain;
  const shown = { syscall: 'scandir', path: cwd };
  return planned(context, shown, () => {
    const path = remotePath(context, cwd, 'glob');
    if (path === undefined || path.target.scope.stepwise) return undefined;
    if (!globs(path.target.peer.node, plain)) return undefined;
    const root = String(emptyAsDirectory(path).path);
    const base = named === 'whole' ? posix.resolve(cwd) : cwd || '.';
    return { target: path.target, shown, work: glob(patterns, { root, base }, plain) };
  });
}

interface PlainOptions extends GlobOptions {
  readonly cwd: string;
}

/** Where the far side starts, and how that is called here. */
interface Start {
  readonly root: string;
  readonly base: string;
}

function* glob(patterns: string[], { root, base }: Start, options: PlainOptions): Work {
  const { withTypes, exclude } = options;
  const [names, types] = yield* ask('glob', patterns, root, { withTypes, exclude });
  const texts = decodeNames(names, 'utf8') as string[];
  if (!withTypes) return texts;
  const isAbsolute = patterns.some((pattern) => pattern.startsWith('/'));
  return Array.from(types ?? [], (type, index) => {
    const [name = '', parent = ''] = texts.slice(2 * index);
    const found = isAbsolute ? parent : posix.join(base, posix.relative(root, parent));
    return new Entry(name, type, found);
  });
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

/** Undefined if there are options that Node itself should look at. */
function plainOptions(options: unknown = {}): PlainOptions | undefined {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) return undefined;
  const {
    cwd,
    exclude = [],
    withFileTypes = false,
    ...others
  } = options as Record<string, unknown>;
  if (Object.values(others).some((value) => value !== undefined && value !== false))
    return undefined;
  if (typeof withFileTypes !== 'boolean' || !isTexts(exclude)) return undefined;
  const place = givenPath(cwd ?? '');
  return typeof place === 'string' ? { cwd: place, withTypes: withFileTypes, exclude } : undefined;
}

/** Node 20 has no glob. Patterns that exclude came later; Node here refuses them where it does not know them. */
function globs(there: string, { exclude }: GlobOptions): boolean {
  const versions = [there, process.versions.node].map((version) => Number.parseInt(version, 10));
  return Math.min(...versions) >= (exclude.length > 0 ? 24 : 22);
}

/**
 * `glob`, `globSync` and `promises.glob` (Node 22 and later) of far files in one call: the far side walks. With a filter
 * or file types, or where the scope denies paths, Node's own code here walks step by step.
 */
import fs from 'node:fs';
import type { FsContext } from './api.ts';
import { blocking, promised, withCallback } from './dispatch.ts';
import { isLoading } from './loader.ts';
import { planned } from './path-operations.ts';
import { emptyAsDirectory, givenPath, remotePath } from './paths.ts';
import { type PublicFunction, replaceFunction } from './public-forms.ts';
import { decodeNames } from './values.ts';
import { ask, type Task, type Work } from './work.ts';

export function replaceGlobbing(context: FsContext): void {
  const taskOf = (args: readonly unknown[]): Task | undefined =>
    context.target() === undefined || isLoading() ? undefined : globTask(context, args);
  replaceFunction(context, fs, 'globSync', (original) => blockingGlob(original, taskOf));
  replaceFunction(context, fs, 'glob', (original) => globWithCallback(original, taskOf));
  replaceFunction(context, fs.promises, 'glob', (original) => iteratedGlob(original, taskOf));
}

type TaskOf = (args: readonly unknown[]) => Task | undefined;

function blockingGlob(original: PublicFunction, taskOf: TaskOf): PublicFunction {
  return function replacement(this: unknown, ...args: unknown[]): unknown {
    const task = taskOf(args);
    return task === undefined ? original.apply(this, args) : blocking(task, replacement);
  };
}

function globWithCallback(original: PublicFunction, taskOf: TaskOf): PublicFunction {
  return function (this: unknown, ...args: unknown[]): unknown {
    const callback = args.at(-1);
    const task = typeof callback === 'function' ? taskOf(args.slice(0, -1)) : undefined;
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
    const task = taskOf(args);
    if (task === undefined) return original.apply(this, args);
    return (async function* () {
      yield* (await promised(task)) as string[];
    })();
  };
}

function globTask(context: FsContext, [pattern, options]: readonly unknown[]): Task | undefined {
  const patterns = typeof pattern === 'string' ? [pattern] : pattern;
  const cwd = plainDirectory(options);
  if (cwd === undefined || !isTexts(patterns)) return undefined;
  const shown = { syscall: 'scandir', path: cwd };
  return planned(context, shown, () => {
    const path = remotePath(context, cwd, 'glob');
    if (path === undefined || path.target.scope.stepwise || !globs(path.target.peer.node))
      return undefined;
    const root = String(emptyAsDirectory(path).path);
    return { target: path.target, shown, work: glob(patterns, root) };
  });
}

function* glob(patterns: string[], root: string): Work<string[]> {
  return decodeNames(yield* ask('glob', patterns, root), 'utf8') as string[];
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

/** Where to start; undefined if there are options that Node itself should look at. */
function plainDirectory(options: unknown = {}): string | undefined {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) return undefined;
  const { cwd, ...others } = options as Record<string, unknown>;
  if (Object.values(others).some((value) => value !== undefined && value !== false))
    return undefined;
  const place = givenPath(cwd ?? '');
  return typeof place === 'string' ? place : undefined;
}

/** Node 20 has no glob. */
function globs(version: string): boolean {
  return Number.parseInt(version, 10) >= 22;
}

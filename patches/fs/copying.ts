/**
 * `cp`, `cpSync` and `promises.cp` of far files in one call to the far side. Copies with a filter, or that must not find
 * anything in their place, go step by step through Node's own code; so do copies that failed, for Node's own error.
 */
import fs from 'node:fs';
import { ElsewhereError, isElsewhereError } from '../../src/base/errors.ts';
import { isForwarded } from '../../src/base/forwards.ts';
import type { CopyOptions, FsContext } from './api.ts';
import { blocking, promised, withCallback } from './dispatch.ts';
import { hasCode } from './errors.ts';
import { isLoading } from './loader.ts';
import { noteChange } from './open-ahead.ts';
import { planned } from './path-operations.ts';
import { givenPath, remotePath } from './paths.ts';
import { type PublicFunction, replaceFunction } from './public-forms.ts';
import { ask, type Task } from './work.ts';

export function replaceCopying(context: FsContext): void {
  const taskOf = (args: readonly unknown[]): Task | undefined =>
    context.target() === undefined ? undefined : copyTask(context, args);
  stepsAreEarly ??=
    !isForwarded(fs, 'opendir') && STEPS.some((name) => loadedModules().includes(name));
  const steps: Steps = {
    refusal: (args) => refusal(context, args),
    args: (args) => (context.target() === undefined ? args : withFilter(context, args)),
  };
  replaceFunction(context, fs, 'cpSync', (original) => blockingCopy(original, taskOf, steps));
  replaceFunction(context, fs, 'cp', (original) => copyWithCallback(original, taskOf, steps));
  replaceFunction(context, fs.promises, 'cp', (original) => promisedCopy(original, taskOf, steps));
}

/** How Node's own code takes a copy step by step. */
interface Steps {
  /** Why it must not. */
  refusal(args: readonly unknown[]): ElsewhereError | undefined;
  /** What it is called with. */
  args(args: unknown[]): unknown[];
}

/** Node loads this code at the first copy, and it keeps the `opendir` that it finds then. */
const STEPS = ['NativeModule internal/fs/cp/cp', 'NativeModule internal/fs/cp/cp-sync'];
let stepsAreEarly: boolean | undefined;

function loadedModules(): readonly string[] {
  return (process as { moduleLoadList?: readonly string[] }).moduleLoadList ?? [];
}

function refusal(
  context: FsContext,
  [from, , options]: readonly unknown[],
): ElsewhereError | undefined {
  const { recursive } = (options ?? {}) as { recursive?: unknown };
  if (stepsAreEarly !== true || recursive !== true || context.target() === undefined)
    return undefined;
  if (sideOf(context, from) === undefined) return undefined;
  return new ElsewhereError(
    'ERR_ELSEWHERE_UNSUPPORTED',
    'fs.cp was used before elsewhere was installed, and would now list local folders for a copy in steps (with a filter, or to the other machine): load elsewhere first (--import elsewhere/register), or copy the tree without a filter',
  );
}

type TaskOf = (args: readonly unknown[]) => Task | undefined;

function blockingCopy(original: PublicFunction, taskOf: TaskOf, steps: Steps): PublicFunction {
  return function replacement(this: unknown, ...args: unknown[]): unknown {
    const task = taskOf(args);
    const refused = steps.refusal(args);
    if (task === undefined) {
      if (refused !== undefined) throw refused;
      return original.apply(this, steps.args(args));
    }
    try {
      return blocking(task, replacement);
    } catch (error) {
      if (isFinal(error) || refused !== undefined) throw error;
      return original.apply(this, args);
    }
  };
}

function copyWithCallback(original: PublicFunction, taskOf: TaskOf, steps: Steps): PublicFunction {
  return function (this: unknown, ...args: unknown[]): unknown {
    const callback = args.at(-1);
    const task = typeof callback === 'function' ? taskOf(args.slice(0, -1)) : undefined;
    const refused = steps.refusal(args);
    if (task === undefined) {
      if (refused === undefined || typeof callback !== 'function')
        return original.apply(this, steps.args(args));
      return process.nextTick(callback, refused);
    }
    withCallback(task, (error) => {
      if (error === undefined) (callback as PublicFunction)(null, undefined);
      else if (isFinal(error) || refused !== undefined) (callback as PublicFunction)(error);
      else original.apply(this, args);
    });
    return undefined;
  };
}

function promisedCopy(original: PublicFunction, taskOf: TaskOf, steps: Steps): PublicFunction {
  return function (this: unknown, ...args: unknown[]): unknown {
    const task = taskOf(args);
    const refused = steps.refusal(args);
    if (task === undefined) {
      if (refused !== undefined) return Promise.reject(refused);
      return original.apply(this, steps.args(args));
    }
    return promised(task).catch((error) => {
      if (isFinal(error) || refused !== undefined) throw error;
      return original.apply(this, args);
    });
  };
}

/** Trying again would only take as long as the first time. */
function isFinal(error: unknown): boolean {
  return isElsewhereError(error) || hasCode(error, 'ENOSPC', 'EDQUOT', 'EIO');
}

function copyTask(context: FsContext, [from, to, given]: readonly unknown[]): Task | undefined {
  const [source, destination] = [givenPath(from), givenPath(to)];
  const options = copyOptions(given);
  if (source === undefined || destination === undefined || options === undefined || isLoading())
    return undefined;
  const shown = { syscall: 'cp', path: source, dest: destination };
  return planned(context, shown, () => {
    const [here, there] = [
      remotePath(context, source, 'cp'),
      remotePath(context, destination, 'cp'),
    ];
    if (here === undefined || here.target !== there?.target || here.target.scope.stepwise)
      return undefined;
    noteChange(here.target);
    const work = ask('copyTree', here.path, there.path, options);
    return { target: here.target, shown, work };
  });
}

/**
 * With a filter, Node's own code looks at each entry, and each finds its side; without one, native code takes the whole
 * tree on one machine.
 */
function withFilter(context: FsContext, args: unknown[]): unknown[] {
  const [from, to, given, ...rest] = args;
  const bare = typeof given === 'function' || given === undefined;
  const options = bare ? {} : given;
  if (typeof options !== 'object' || options === null || 'filter' in options || isLoading())
    return args;
  const sides = [from, to].map((path) => sideOf(context, path));
  if (sides[0] === sides[1] && context.scope()?.stepwise !== true) return args;
  const all = { ...options, filter: () => true };
  return bare && given !== undefined ? [from, to, all, given, ...rest] : [from, to, all, ...rest];
}

function sideOf(context: FsContext, path: unknown): unknown {
  const given = givenPath(path);
  try {
    return given === undefined ? undefined : remotePath(context, given, 'cp')?.target;
  } catch {
    // Denied: the copy itself will say so.
    return undefined;
  }
}

const SWITCHES = [
  'recursive',
  'dereference',
  'errorOnExist',
  'verbatimSymlinks',
  'preserveTimestamps',
] as const;

/** Undefined for those that Node itself should look at. */
function copyOptions(given: unknown = {}): CopyOptions | undefined {
  if (typeof given !== 'object' || given === null || 'filter' in given) return undefined;
  const options = given as Record<string, unknown>;
  // Node refuses an option that is there and undefined.
  const isSwitch = (name: string): boolean =>
    !(name in options) || typeof options[name] === 'boolean';
  if (![...SWITCHES, 'force'].every(isSwitch) || options['errorOnExist'] === true) return undefined;
  const mode = options['mode'] ?? 0;
  if (!Number.isInteger(mode) || (mode as number) < 0 || (mode as number) > 7) return undefined;
  const on = (name: string): boolean => options[name] === true;
  return {
    recursive: on('recursive'),
    force: options['force'] !== false,
    dereference: on('dereference'),
    errorOnExist: false,
    verbatimSymlinks: on('verbatimSymlinks'),
    preserveTimestamps: on('preserveTimestamps'),
    mode: mode as number,
  };
}

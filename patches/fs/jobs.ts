/**
 * Node 26 reads and writes whole files, and copies directories, in native jobs. `lib/fs.js` took the classes before
 * anything could be substituted, so their `run` is replaced, and what it needs to know is kept from elsewhere.
 */
import { ElsewhereError } from '../../src/base/errors.ts';
import type { CopyOptions, FsContext } from './api.ts';
import type { FsBinding } from './binding.ts';
import { creationMode } from './creation.ts';
import { withCallback } from './dispatch.ts';
import { asWritten, systemError } from './errors.ts';
import { flagNumber, toWireFlags } from './flags.ts';
import { isLoading } from './loader.ts';
import { noteChange } from './open-ahead.ts';
import { planned } from './path-operations.ts';
import { isPath, isRelative, placeHere, type RemotePath, remotePath } from './paths.ts';
import { readWhole } from './read-file.ts';
import { bytesOf } from './values.ts';
import { ask, failing, type Task, type Work } from './work.ts';
import { takeWriteFile } from './write-file.ts';

interface Job {
  ondone(...results: unknown[]): void;
  run(path?: unknown): unknown;
  /** Set by `fs.readFile`. */
  readonly context?: { readonly options?: { readonly flag?: unknown } };
}
type JobClass = (new (...args: unknown[]) => Job) & { readonly prototype: Job };

/** What the jobs were made with, where we saw it. */
const made = new WeakMap<object, readonly unknown[]>();

export function replaceJobs(context: FsContext, binding: FsBinding): void {
  replaceRun(context, binding, 'ReadFileJob', (job, path) => readJob(context, job, path));
  replaceRun(context, binding, 'WriteFileJob', (job, path) => writeJob(context, job, path));
  replaceRun(context, binding, 'CpDirJob', (job) => copyJob(context, job));
}

interface Run {
  readonly task: Task;
  readonly done: (error: unknown, value: unknown) => void;
}

/** `plan` returns what to do instead, an error to report, or undefined for a local job. */
function replaceRun(
  context: FsContext,
  binding: FsBinding,
  name: string,
  plan: (job: Job, path: unknown) => Run | Error | undefined,
): void {
  const native = binding[name] as JobClass | undefined;
  if (typeof native !== 'function') return;
  const { run } = native.prototype;
  context.replace(native.prototype, 'run', function (this: Job, ...args: unknown[]): unknown {
    const found = context.target() === undefined || isLoading() ? undefined : plan(this, args[0]);
    if (found === undefined)
      return isElsewhere(context, this, args) ? misplaced() : run.apply(this, args as [unknown?]);
    // Node hands what `run` returns to the caller as the job's error.
    if (found instanceof Error) return found;
    withCallback(found.task, found.done);
    return undefined;
  });
  const remembering = new Proxy(native, {
    construct(target, given: unknown[], newTarget) {
      const args = placed(context, given, name === 'CpDirJob' ? [0, 1] : [0]);
      const job = Reflect.construct(target, args, newTarget) as object;
      made.set(job, args);
      return job;
    },
  });
  context.replace(binding, name, remembering);
}

/** Arguments of a job whose paths stay here: relative ones start in the scope's directory. */
function placed(context: FsContext, args: unknown[], places: readonly number[]): unknown[] {
  if (context.target() === undefined || isLoading()) return args;
  const own = [...args];
  for (const at of places) if (staysHere(context, own[at])) placeHere(context, own, at);
  return own;
}

/** Whether a job that nobody saw being made would look for its path in the directory of this process. */
function isElsewhere(context: FsContext, job: Job, args: unknown[]): boolean {
  return !made.has(job) && placed(context, args, [0])[0] !== args[0];
}

function misplaced(): Error {
  return new ElsewhereError(
    'ERR_ELSEWHERE_UNSUPPORTED',
    'fs.readFile and fs.writeFile of this Node take a relative path that stays here from the directory of the process, not of the scope: give an absolute path, or use fs.promises',
  );
}

/** Of a path that would start elsewhere; the rules need not be asked about any other. */
function staysHere(context: FsContext, path: unknown): boolean {
  try {
    return isRelative(path) && remotePath(context, path, 'open') === undefined;
  } catch {
    // Refused: `run` tells.
    return false;
  }
}

function readJob(context: FsContext, job: Job, given: unknown): Run | undefined {
  const args = made.get(job);
  const path = given ?? args?.[0];
  if (!isPath(path)) return undefined;
  const flags = args === undefined ? flagNumber(job.context?.options?.flag) : (args[1] as number);
  const shown = { syscall: 'open', path, pathAlways: true };
  const task = planned(context, shown, () => {
    const found = remotePath(context, path, 'open');
    return found === undefined
      ? undefined
      : { target: found.target, shown, work: readWhole(found, flags) };
  });
  if (task === undefined) return undefined;
  // No descriptor is left open (-1), and closing did not fail.
  const done = (error: unknown, bytes: unknown): void =>
    error === undefined ? job.ondone(null, bytes, -1, (bytes as Buffer).length) : job.ondone(error);
  return { task, done };
}

function writeJob(context: FsContext, job: Job, given: unknown): Run | Error | undefined {
  const args = made.get(job) as [unknown, number, number, ArrayBufferView] | undefined;
  const path = given ?? args?.[0];
  if (!isPath(path)) return undefined;
  const announced = takeWriteFile(path);
  const shown = { syscall: 'open', path };
  const task = planned(context, shown, () => {
    const found = remotePath(context, path, 'open');
    if (found === undefined) return undefined;
    noteChange(found.target);
    const bytes = args === undefined ? announced?.bytes() : bytesOf(args[3]);
    if (bytes === undefined) return { target: found.target, shown, work: failing(unseen()) };
    const flags = args?.[1] ?? announced?.flags ?? 0;
    const mode = creationMode(found.target, args?.[2] ?? announced?.mode ?? 0o666);
    return {
      target: found.target,
      shown,
      work: ask('writeFile', found.path, toWireFlags(flags), mode, bytes),
    };
  });
  if (task === undefined) return undefined;
  return { task, done: (error) => job.ondone(error ?? null) };
}

/** The data is inside the native job, where nobody sees it. */
function unseen(): Error {
  return new ElsewhereError(
    'ERR_ELSEWHERE_UNSUPPORTED',
    'this fs.writeFile was taken from fs before elsewhere was installed, or its data is too large for one call: load elsewhere first (--import elsewhere/register), or use fs.promises.writeFile or a stream',
  );
}

function copyJob(context: FsContext, job: Job): Run | undefined {
  const [from, to, ...rest] = made.get(job) ?? [];
  if (!isPath(from) || !isPath(to)) return undefined;
  const shown = { syscall: 'cp', path: from, dest: to };
  const task = planned(context, shown, () => copyTask(context, from, to, rest));
  return task === undefined ? undefined : { task, done: (error) => job.ondone(error ?? null) };
}

function copyTask(
  context: FsContext,
  from: string | Uint8Array,
  to: string | Uint8Array,
  rest: readonly unknown[],
): Task | undefined {
  const source = remotePath(context, from, 'cp');
  const destination = remotePath(context, to, 'cp');
  const target = (source ?? destination)?.target;
  if (target === undefined) return undefined;
  noteChange(target);
  return {
    target,
    // The error names what failed, which is one of the two or something below it.
    shown: { syscall: 'cp', ownPath: true },
    work: copyWork(source, destination, rest),
  };
}

function* copyWork(
  source: RemotePath | undefined,
  destination: RemotePath | undefined,
  rest: readonly unknown[],
): Work {
  if (source === undefined || destination === undefined)
    throw systemError({ code: 'EXDEV', syscall: 'cp' });
  const [force, dereference, errorOnExist, verbatimSymlinks, preserveTimestamps, mode] = rest;
  const options: CopyOptions = {
    recursive: true,
    force: force === true,
    dereference: dereference === true,
    errorOnExist: errorOnExist === true,
    verbatimSymlinks: verbatimSymlinks === true,
    preserveTimestamps: preserveTimestamps === true,
    mode: typeof mode === 'number' ? mode : 0,
  };
  try {
    return yield* ask('copyTree', source.path, destination.path, options);
  } catch (error) {
    throw asWritten(error, source, destination);
  }
}

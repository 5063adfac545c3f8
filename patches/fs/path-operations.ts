/** The binding's functions that take one path. Each is a few lines: what is asked, and what Node gets back. */
import { ElsewhereError } from '../../src/base/errors.ts';
import type { FsContext, FsTarget } from './api.ts';
import { type FsBinding, NEVER, REQUEST_INDEX } from './binding.ts';
import { creationMode } from './creation.ts';
import type { Call, Operation } from './dispatch.ts';
import { hasCode } from './errors.ts';
import { isSmallMode, smallMode } from './flags.ts';
import { isLoaderCall, isLoading } from './loader.ts';
import { noteChange } from './open-ahead.ts';
import {
  emptyAsDirectory,
  isPath,
  placeHere,
  type RemotePath,
  remotePath,
  withoutPrefix,
} from './paths.ts';
import {
  decodeName,
  decodeNames,
  directoryList,
  fileSystemArray,
  groupedEntries,
  statsArray,
} from './values.ts';
import { ask, failing, type Shown, type Task, type Work } from './work.ts';

export interface PathOperation {
  readonly name: string;
  /** Position of the path among the arguments. */
  readonly at?: number;
  /** The operation changes no file. */
  readonly reads?: boolean;
  /** Calls that Node's module loader makes too: then the stack is looked at. */
  readonly loader?: (call: Call) => boolean;
  /** False for arguments that Node's own function must refuse. */
  readonly accepts?: (args: readonly unknown[]) => boolean;
  readonly shown?: (call: Call, path: unknown) => Shown;
  readonly work: (path: RemotePath, call: Call) => Work;
}

export function pathOperation(context: FsContext, spec: PathOperation): Operation {
  const { name, at = 0 } = spec;
  return {
    request: REQUEST_INDEX[name] ?? NEVER,
    concerns: () => context.target() !== undefined,
    plan: (call) => {
      const given = call.args[at];
      if (!isPath(given) || spec.accepts?.(call.args) === false) return undefined;
      if (isLoading() || (spec.loader?.(call) === true && isLoaderCall(call.substitute)))
        return undefined;
      const shown = spec.shown?.(call, given) ?? { syscall: name, path: given };
      return planned(context, shown, () => {
        const path = remotePath(context, given, shown.syscall);
        if (path === undefined) {
          placeHere(context, call.args, at);
          return undefined;
        }
        if (spec.reads !== true) noteChange(path.target);
        return { target: path.target, shown, work: spec.work(path, call) };
      });
    },
  };
}

/** A path that the scope denies fails in the form that the caller asked for. */
export function planned(
  context: FsContext,
  shown: Shown,
  plan: () => Task | undefined,
): Task | undefined {
  try {
    return plan();
  } catch (error) {
    return { target: context.target() as FsTarget, shown, work: failing(error) };
  }
}

type Kind = 'stat' | 'lstat';

/** Codes that mean "no entry" to Node's own functions. Node 20 keeps ENOTDIR apart, the later ones for `lstat` only. */
const NO_ENTRY: Readonly<Record<Kind, readonly string[]>> = {
  stat: process.versions.node.startsWith('20.') ? ['ENOENT'] : ['ENOENT', 'ENOTDIR'],
  lstat: ['ENOENT'],
};

function* stats(kind: Kind, path: RemotePath, { args }: Call): Work {
  try {
    return statsArray(yield* ask(kind, path.path), args[1]);
  } catch (error) {
    // The fourth argument is throwIfNoEntry.
    if (args[3] === false && hasCode(error, ...NO_ENTRY[kind])) return undefined;
    throw error;
  }
}

/** Existence has no errors, but a lost connection is not an answer. */
function* exists(path: RemotePath): Work<boolean> {
  return yield* ask('exists', path.path);
}

function* readlink(path: RemotePath, encoding: unknown): Work {
  return decodeName(yield* ask('readlink', path.path), encoding);
}

function* realpath(path: RemotePath, encoding: unknown): Work {
  return decodeName(yield* ask('realpath', path.path, true), encoding);
}

function* mkdir(path: RemotePath, mode: number, recursive: boolean): Work {
  const bits = creationMode(path.target, mode);
  const made = yield* ask('mkdir', path.path, bits, recursive, path.prefix);
  return made === undefined ? undefined : withoutPrefix(made, path.prefix).toString();
}

function* mkdtemp(given: RemotePath, encoding: unknown): Work {
  const path = emptyAsDirectory(given);
  return decodeName(withoutPrefix(yield* ask('mkdtemp', path.path), path.prefix), encoding);
}

function* readdir(path: RemotePath, encoding: unknown, withTypes: boolean): Work {
  return directoryList(yield* ask('readdir', path.path, withTypes), encoding);
}

/** Node 26: names relative to the path; with types they are grouped by directory. */
function* readdirRecursive(path: RemotePath, { args, form }: Call): Work {
  if (path.target.scope.denies) return yield* failing(blind('fs.readdir', 'opendir'));
  const [, encoding, withTypes] = args;
  const found = yield* ask('readdirRecursive', path.path, withTypes === true, form === 'sync');
  return withTypes === true ? groupedEntries(found, encoding) : decodeNames(found[0], encoding);
}

function* statfs(path: RemotePath, bigint: unknown, length: number): Work {
  return fileSystemArray(yield* ask('statfs', path.path), bigint, length);
}

/** Everything but `open`, which has a file of its own. */
export function pathOperations(binding: FsBinding): PathOperation[] {
  return [
    {
      name: 'access',
      reads: true,
      accepts: ([, mode]) => isSmallMode(mode),
      work: ({ path }, { args }) => ask('access', path, smallMode(args[1])),
    },
    {
      name: 'existsSync',
      reads: true,
      shown: (_call, path) => ({ syscall: 'access', path }),
      work: exists,
    },
    {
      name: 'internalModuleStat',
      reads: true,
      loader: () => true,
      work: ({ path }) => ask('kind', path),
    },
    { name: 'stat', reads: true, work: (path, call) => stats('stat', path, call) },
    {
      name: 'lstat',
      reads: true,
      // realpathSync, which resolves modules, asks for bigints.
      loader: ({ args, form }) => form === 'sync' && args[1] === true,
      work: (path, call) => stats('lstat', path, call),
    },
    {
      name: 'statfs',
      reads: true,
      work: (path, { args }) => statfs(path, args[1], binding.statFsValues.length),
    },
    { name: 'readlink', reads: true, work: (path, { args }) => readlink(path, args[1]) },
    { name: 'realpath', reads: true, work: (path, { args }) => realpath(path, args[1]) },
    {
      name: 'readdir',
      reads: true,
      work: (path, { args }) => readdir(path, args[1], args[2] === true),
    },
    { name: 'readdirRecursive', reads: true, work: readdirRecursive },
    { name: 'rmdir', work: ({ path }) => ask('rmdir', path) },
    { name: 'unlink', work: ({ path }) => ask('unlink', path) },
    {
      name: 'mkdir',
      work: (path, { args }) => mkdir(path, args[1] as number, args[2] === true),
    },
    {
      name: 'mkdtemp',
      shown: (_call, path) => ({ syscall: 'mkdtemp', path: `${String(path)}XXXXXX` }),
      work: (path, { args }) => mkdtemp(path, args[1]),
    },
    ...changes(),
  ];
}

/** What may not be forced was checked by Node's own JavaScript before. */
function removeAll(path: RemotePath, { args: [, maxRetries, , retryDelay] }: Call): Work {
  if (path.target.scope.denies) return failing(blind('fs.rmSync', 'fs.promises.rm'));
  return ask('remove', path.path, {
    force: true,
    maxRetries: maxRetries as number,
    retryDelay: retryDelay as number,
  });
}

function blind(name: string, instead: string): ElsewhereError {
  return new ElsewhereError(
    'ERR_ELSEWHERE_UNSUPPORTED',
    `${name} takes a whole tree at once, and this scope denies paths that may be in it: use ${instead}, which asks about each`,
  );
}

/** Changes of what is stored beside a file's content. */
function changes(): PathOperation[] {
  return [
    { name: 'chmod', work: ({ path }, { args }) => ask('chmod', path, args[1] as number) },
    {
      name: 'symlink',
      at: 1,
      shown: ({ args }, path) => ({ syscall: 'symlink', path: args[0], dest: path }),
      work: ({ path }, { args }) => ask('symlink', args[0] as string, path, args[2] as number),
    },
    {
      name: 'rmSync',
      work: removeAll,
    },
    ...(['chown', 'lchown', 'utimes', 'lutimes'] as const).map(
      (name): PathOperation => ({
        name,
        work: ({ path }, { args }) => ask(name, path, args[1] as number, args[2] as number),
      }),
    ),
  ];
}

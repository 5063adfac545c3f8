/** The binding's functions that take two paths. Both must be on the same side, but for copies. */
import type { FsContext, FsTarget } from './api.ts';
import { NEVER, REQUEST_INDEX } from './binding.ts';
import { copyAcross } from './copy-across.ts';
import { stepAcross } from './copy-steps.ts';
import type { Call, Operation } from './dispatch.ts';
import { asWritten, systemError } from './errors.ts';
import { isSmallMode, smallMode } from './flags.ts';
import { isLoading } from './loader.ts';
import { noteChange } from './open-ahead.ts';
import { planned } from './path-operations.ts';
import { isPath, placeHere, type RemotePath, remotePath } from './paths.ts';
import { ask, failing, type Work } from './work.ts';

interface PairOperation {
  readonly name: string;
  readonly accepts?: (args: readonly unknown[]) => boolean;
  readonly work: (from: RemotePath, to: RemotePath, call: Call) => Work;
  /** One side is here, the other there. */
  readonly across?: (from: RemotePath | undefined, to: RemotePath | undefined, call: Call) => Work;
  /** Errors name what failed themselves: it is not always one of the two paths. */
  readonly ownPath?: boolean;
}

export function pairOperation(context: FsContext, spec: PairOperation): Operation {
  const { name } = spec;
  return {
    request: REQUEST_INDEX[name] ?? NEVER,
    concerns: () => context.target() !== undefined,
    plan: (call) => {
      const [from, to] = call.args;
      if (!isPath(from) || !isPath(to) || isLoading() || spec.accepts?.(call.args) === false)
        return undefined;
      const shown = { syscall: name.toLowerCase(), path: from, dest: to };
      return planned(context, shown, () => {
        const source = remotePath(context, from, name);
        const destination = remotePath(context, to, name);
        placeHere(context, call.args, ...missing(source, destination));
        if (source === undefined && destination === undefined) return undefined;
        const target = (source ?? destination)?.target as FsTarget;
        noteChange(target);
        if (
          source !== undefined &&
          destination !== undefined &&
          source.target.connection !== destination.target.connection
        )
          return { target, shown, work: failing(crossed(name, from, to)) };
        if (source !== undefined && destination !== undefined)
          return {
            target,
            shown: { ...shown, asTold: spec.ownPath === true },
            work: spec.work(source, destination, call),
          };
        const work = spec.across?.(source, destination, call) ?? failing(crossed(name, from, to));
        return { target, shown: { ...shown, ownPath: spec.ownPath === true }, work };
      });
    },
  };
}

/** The places of what is not there. */
function missing(...values: readonly unknown[]): number[] {
  return [...values.keys()].filter((at) => values[at] === undefined);
}

/** Two machines are two file systems, and programs know what to do then. */
function crossed(name: string, from: unknown, to: unknown): Error {
  return systemError({ code: 'EXDEV', syscall: name, path: String(from), dest: String(to) });
}

export function pairOperations(context: FsContext): PairOperation[] {
  return [
    { name: 'rename', work: (from, to) => ask('rename', from.path, to.path) },
    { name: 'link', work: (from, to) => ask('link', from.path, to.path) },
    {
      name: 'copyFile',
      accepts: ([, , mode]) => isSmallMode(mode),
      work: (from, to, { args }) => ask('copyFile', from.path, to.path, smallMode(args[2])),
      across: (from, to, { args }) => copyAcross(context, { from, to, args }),
    },
    ...copySteps(),
  ];
}

/** The native steps of `cpSync` (Node 22 and later). */
function copySteps(): PairOperation[] {
  return ['cpSyncCheckPaths', 'cpSyncOverrideFile', 'cpSyncCopyDir'].map((name) => ({
    name,
    work: (from, to, { args: [source, destination, ...rest] }) =>
      from.target.scope.stepwise
        ? across(name, String(source), String(destination), rest as (boolean | number)[])
        : copyStep(name, from, to, rest as (boolean | number)[]),
    across: (_from, _to, { args: [from, to, ...rest] }) =>
      across(name, String(from), String(to), rest as (boolean | number)[]),
    ownPath: true,
  }));
}

/** The steps only block, so what they do in turn may block too. */
// biome-ignore lint/correctness/useYield: the driver wants a generator.
function* across(
  name: string,
  from: string,
  to: string,
  rest: readonly (boolean | number)[],
): Work<void> {
  stepAcross(name, from, to, rest);
}

function* copyStep(
  name: string,
  from: RemotePath,
  to: RemotePath,
  options: readonly (boolean | number)[],
): Work {
  try {
    return yield* ask('copyStep', name, from.path, to.path, options);
  } catch (error) {
    throw asWritten(error, from, to);
  }
}

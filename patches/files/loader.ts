/**
 * Node's module loader reads user code through the very functions that are substituted. What it does is always local,
 * recognised by where it comes from: a module of any path may be needed here, and data of the same path over there.
 */
import Module from 'node:module';
import type { LocalContext } from '../../src/patch.ts';
import type { FsApi } from './api.ts';

interface ModulePrototype {
  load(filename: string): unknown;
  _compile(...args: unknown[]): unknown;
}
type ModuleClass = {
  readonly prototype: ModulePrototype;
  _resolveFilename(...args: unknown[]): unknown;
};

let depth = 0;

/** Whether CommonJS is being resolved or read (as opposed to run) right now. */
export function inCommonJsLoader(): boolean {
  return depth > 0;
}

function counted<R>(change: (before: number) => number, run: () => R): R {
  const before = depth;
  depth = change(before);
  try {
    return run();
  } finally {
    depth = before;
  }
}

/** Marks the time that CommonJS spends resolving and reading; the module's own code is not part of it. */
export function watchCommonJs(context: LocalContext<FsApi>): void {
  const module = Module as unknown as ModuleClass;
  const { prototype, _resolveFilename: resolve } = module;
  const { load, _compile: compile } = prototype;
  context.replace(
    module,
    '_resolveFilename',
    function _resolveFilename(this: unknown, ...args: unknown[]): unknown {
      return counted(
        (before) => before + 1,
        () => resolve.apply(this as never, args),
      );
    },
  );
  context.replace(
    prototype,
    'load',
    function loadLocally(this: unknown, ...args: unknown[]): unknown {
      return counted(
        (before) => before + 1,
        () => load.apply(this as never, args as [string]),
      );
    },
  );
  context.replace(
    prototype,
    '_compile',
    function _compile(this: unknown, ...args: unknown[]): unknown {
      return counted(
        () => 0,
        () => compile.apply(this as never, args),
      );
    },
  );
}

/** Frames of fs itself say nothing; the first other one decides. */
const FS_FRAME = /^node:(fs|internal\/fs|internal\/util|internal\/url)/;
const LOADER_FRAME =
  /^node:(internal\/(modules|source_map|assert|main|bootstrap|process\/(execution|esm_loader|pre_execution))|assert)/;
const DEPTH = 6;

type StackHolder = { stack?: unknown };

/** Whether the call comes from the ES module loader or another part of Node that reads code. Costs some microseconds. */
export function fromLoader(dispatch: (...args: never[]) => unknown): boolean {
  const { prepareStackTrace, stackTraceLimit } = Error;
  Error.stackTraceLimit = DEPTH;
  Error.prepareStackTrace = (_error, sites) => sites.map((site) => site.getFileName() ?? '');
  const holder: StackHolder = {};
  Error.captureStackTrace(holder, dispatch);
  const files = holder.stack as string[];
  // An unset hook must be unset again: Node tests for its presence.
  if (prepareStackTrace === undefined) Reflect.deleteProperty(Error, 'prepareStackTrace');
  else Error.prepareStackTrace = prepareStackTrace;
  Error.stackTraceLimit = stackTraceLimit;
  const deciding = files.find((file) => !FS_FRAME.test(file));
  return deciding !== undefined && LOADER_FRAME.test(deciding);
}

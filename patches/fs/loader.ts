/**
 * Recognises Node's own module loader, which reads through the same functions as the program: modules are always
 * loaded locally. It is recognised by who calls, never by the path, so that a program's own reads of the same files
 * are remote.
 */
import { Module } from 'node:module';
import { likeOriginal } from '../../src/base/shape.ts';
import type { FsContext } from './api.ts';

/** The loader's own steps, which Node calls as properties of these objects. */
interface LoaderInside {
  readonly prototype: { load: AnyFunction; _compile: AnyFunction };
  _resolveFilename: AnyFunction;
}
type AnyFunction = (...args: unknown[]) => unknown;

/** Depth of loading in this stack; 0 while a module's own code runs. */
let loading = 0;

/** Also covers loaders written by others on top of Node's (ts-node, pirates), whose own reads happen inside `load`. */
export function watchLoader(context: FsContext): void {
  const inside = Module as unknown as LoaderInside;
  const wrap = <T extends object>(
    object: T,
    key: keyof T,
    depth: (before: number) => number,
  ): void => {
    const original = object[key] as AnyFunction;
    const replacement = likeOriginal(
      original,
      function (this: unknown, ...args: unknown[]): unknown {
        const before = loading;
        loading = depth(before);
        try {
          return original.apply(this, args);
        } finally {
          loading = before;
        }
      },
    );
    context.replace(object, key, replacement as T[keyof T]);
  };
  wrap(inside.prototype, 'load', (before) => before + 1);
  wrap(inside, '_resolveFilename', (before) => before + 1);
  wrap(inside.prototype, '_compile', () => 0);
}

export function isLoading(): boolean {
  return loading > 0;
}

/** Parts of Node that read files for themselves. */
const NODE_ITSELF =
  /^node:(?:internal\/(?:modules|source_map|assert|main|bootstrap|process\/(?:execution|esm_loader|pre_execution)|test_runner|policy)\b|assert$)/;
/** Parts that read on behalf of whoever called them. */
const BETWEEN = /^node:(?:fs\b|internal\/(?:fs|util)\b)/;

/** Frames looked at: readFile, open and one more of Node's own lie between the loader and the binding. */
const FRAMES = 6;

/** Looks at the stack above `below`. Costs some microseconds, so it is asked only for calls that the loader makes. */
export function isLoaderCall(below: AnyFunction): boolean {
  if (loading > 0) return true;
  for (const frame of framesAbove(below)) {
    // Who awaits the call is not who made it: `assert.rejects(promise)` is Node's own code too.
    if ((frame as { isAsync?(): boolean }).isAsync?.() === true) return false;
    const file = frame.getFileName();
    if (file === null || file === undefined) return false;
    if (!BETWEEN.test(file)) return NODE_ITSELF.test(file);
  }
  return false;
}

function framesAbove(below: AnyFunction): readonly NodeJS.CallSite[] {
  const { stackTraceLimit, prepareStackTrace } = Error;
  const holder: { stack?: NodeJS.CallSite[] } = {};
  try {
    Error.stackTraceLimit = FRAMES;
    Error.prepareStackTrace = (_error, frames) => frames;
    Error.captureStackTrace(holder, below);
    // Formatted when it is first read.
    return holder.stack ?? [];
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
    if (prepareStackTrace === undefined) Reflect.deleteProperty(Error, 'prepareStackTrace');
    else Error.prepareStackTrace = prepareStackTrace;
  }
}

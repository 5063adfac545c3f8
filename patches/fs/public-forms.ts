/** Substitutes for public functions of `fs`: the three forms of one task. Used only for what the binding cannot reach. */

import { likeOriginal } from '../../src/base/shape.ts';
import type { FsContext } from './api.ts';
import { blocking, promised, withCallback } from './dispatch.ts';
import type { Task } from './work.ts';

export type PublicFunction = (this: unknown, ...args: unknown[]) => unknown;
/** The task of a call in a scope; undefined for calls that Node's own function should carry out, or refuse. */
export type TaskOf = (args: readonly unknown[]) => Task | undefined;
type Table = Record<string, unknown>;

/** A property that is a function, also where Node makes it at first use. */
export function replaceFunction(
  context: FsContext,
  object: object,
  key: string,
  make: (original: PublicFunction) => PublicFunction,
): void {
  const table = object as Table;
  const original = table[key];
  if (typeof original !== 'function') return;
  const replacement = likeOriginal(original as PublicFunction, make(original as PublicFunction));
  const before = Object.getOwnPropertyDescriptor(table, key);
  context.redefine(table, key, {
    value: replacement,
    writable: true,
    enumerable: before?.enumerable ?? true,
    configurable: true,
  });
}

export function blockingForm(
  context: FsContext,
  taskOf: TaskOf,
): (original: PublicFunction) => PublicFunction {
  return (original) =>
    function replacement(this: unknown, ...args: unknown[]): unknown {
      const task = context.target() === undefined ? undefined : taskOf(args);
      return task === undefined ? original.apply(this, args) : blocking(task, replacement);
    };
}

export function callbackForm(
  context: FsContext,
  taskOf: TaskOf,
): (original: PublicFunction) => PublicFunction {
  return (original) =>
    function (this: unknown, ...args: unknown[]): unknown {
      const callback = args.at(-1);
      const asked = context.target() !== undefined && typeof callback === 'function';
      const given = args.slice(0, -1);
      const task = asked ? taskOf(given) : undefined;
      // What stays here may have got another path.
      if (task === undefined) return original.apply(this, asked ? [...given, callback] : args);
      withCallback(task, (error, value) => {
        if (error !== undefined) (callback as PublicFunction)(error);
        else if (value === undefined) (callback as PublicFunction)(null);
        else (callback as PublicFunction)(null, value);
      });
      return undefined;
    };
}

export function promiseForm(
  context: FsContext,
  taskOf: TaskOf,
): (original: PublicFunction) => PublicFunction {
  return (original) =>
    function (this: unknown, ...args: unknown[]): unknown {
      const task = context.target() === undefined ? undefined : taskOf(args);
      return task === undefined ? original.apply(this, args) : promised(task);
    };
}

/** The encoding of an options argument; undefined if Node would refuse it. */
export function encodingOf(options: unknown): string | undefined {
  if (options === undefined || options === null) return 'utf8';
  if (typeof options !== 'string' && typeof options !== 'object') return undefined;
  const given =
    typeof options === 'string' ? options : (options as { encoding?: unknown }).encoding;
  const encoding = given || 'utf8';
  if (typeof encoding !== 'string') return undefined;
  return encoding === 'buffer' || Buffer.isEncoding(encoding) ? encoding : undefined;
}

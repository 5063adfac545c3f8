/**
 * Puts a substitute in the place of one function of the binding: local calls pass through untouched, the others are
 * carried out in the form that the caller asked for (blocking, callback or promise).
 */
import { AsyncResource } from 'node:async_hooks';
import { hideActivity } from '../../src/base/activity.ts';
import type { BindingFunction, FsBinding, Request } from './binding.ts';
import { deliverInTurn, deliverLater } from './completion.ts';
import { fillContext, shapeError } from './errors.ts';
import type { Task } from './work.ts';

export type Form = 'sync' | 'promise' | 'callback';

/** One call of the binding, taken apart. */
export interface Call {
  readonly args: readonly unknown[];
  readonly form: Form;
  /** The request object of the callback form. */
  readonly request: Request | undefined;
  /** The substitute itself: frames above it are the caller's. */
  readonly substitute: BindingFunction;
}

/** Decides where a call goes: undefined means that Node's own function carries it out. May throw what the caller sees. */
export type Plan = (call: Call) => Task | undefined;

export interface Operation {
  readonly plan: Plan;
  /** Must be cheap: it runs at every call of every program. True if the call with this first argument may be remote. */
  readonly concerns: (first: unknown) => boolean;
  /** Position of the request among the arguments; NEVER for functions that only block. */
  readonly request: number;
}

export function substitute(
  binding: FsBinding,
  original: BindingFunction,
  { plan, concerns, request: index }: Operation,
): BindingFunction {
  const { kUsePromises } = binding;
  const formOf = (request: unknown): Form => {
    if (request === undefined) return 'sync';
    return request === kUsePromises ? 'promise' : 'callback';
  };
  return function replacement(this: unknown, ...args: unknown[]): unknown {
    // A wrong number of arguments aborts the process, so they are passed on exactly as they came.
    if (!concerns(args[0])) return original.apply(this, args);
    const form = index < 0 ? 'sync' : formOf(args[index]);
    const request = form === 'callback' ? (args[index] as Request) : undefined;
    const task = plan({ args, form, request, substitute: replacement });
    if (task === undefined) return original.apply(this, args);
    if (form === 'promise') return promised(task);
    if (request !== undefined) return complete(task, request);
    return blocking(task, replacement, args[index + 1]);
  };
}

/** The blocking form. `context` takes the error where the caller gave one (writeBuffer, writeString). */
export function blocking(
  task: Task,
  below: (...args: never[]) => unknown,
  context?: unknown,
): unknown {
  try {
    return runSync(task);
  } catch (error) {
    const shaped = shapeError(error, task.shown);
    if (typeof context === 'object' && context !== null && fillContext(context, shaped)) return;
    // Only Node's own frames are left, as if its function had thrown.
    if (shaped !== error && shaped instanceof Error) Error.captureStackTrace(shaped, below);
    throw shaped;
  }
}

function runSync({ target, work }: Task): unknown {
  let result = work.next();
  while (result.done !== true) {
    const { name, args } = result.value;
    let answer: unknown;
    try {
      answer = target.callSync(name, ...(args as never));
    } catch (error) {
      result = work.throw(error);
      continue;
    }
    result = work.next(answer);
  }
  return result.value;
}

type Done = (error: unknown, value: unknown, atOnce: boolean) => void;

/** Drives the work by callbacks. `atOnce` tells `done` that it runs inside the call. */
function runLater({ target, work, shown }: Task, done: Done): void {
  let waited = false;
  const resume = (failed: boolean, value: unknown): void => {
    let result: ReturnType<typeof work.next>;
    try {
      result = failed ? work.throw(value) : work.next(value);
    } catch (error) {
      return done(shapeError(error, shown), undefined, !waited);
    }
    if (result.done === true) return done(undefined, result.value, !waited);
    const { name, args, arrival } = result.value;
    if (arrival !== undefined) {
      target.hold();
      arrival.onArrival(() => {
        waited = true;
        target.release();
        resume(false, undefined);
      });
      return;
    }
    try {
      target.send(name, args as never, (error, answer) => {
        waited = true;
        target.release();
        if (error === null || error === undefined) resume(false, answer);
        else resume(true, error);
      });
    } catch (error) {
      // What cannot be sent fails the call, not the caller.
      return resume(true, error);
    }
    target.hold();
  };
  resume(false, undefined);
}

export function promised(task: Task): Promise<unknown> {
  return new Promise((resolve, reject) => {
    runLater(task, (error, value, atOnce) => {
      const settle = (): void => (error === undefined ? resolve(value) : reject(error));
      // Node's take a turn at least, and a signal may abort what follows in it.
      if (atOnce) deliverLater(settle);
      else deliverInTurn(settle);
    });
  });
}

/** The callback form, in the async context of the call. */
function complete(task: Task, request: Request): void {
  withCallback(task, (error, value) => {
    // Node counts it from when it was made, and cannot know that it is over.
    hideActivity(request);
    if (error !== undefined) request.oncomplete(error);
    else if (value === undefined) request.oncomplete(null);
    else request.oncomplete(null, value);
  });
}

/** Calls back once, later, in the async context of this call. */
export function withCallback(task: Task, callback: (error: unknown, value: unknown) => void): void {
  const resource = new AsyncResource('FSREQCALLBACK');
  runLater(task, (error, value, atOnce) => {
    const deliver = (): void => {
      resource.runInAsyncScope(callback, undefined, error, value);
    };
    if (atOnce) deliverLater(deliver);
    else deliverInTurn(deliver);
  });
}

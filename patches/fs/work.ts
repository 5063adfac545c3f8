/**
 * What one call of the binding has to do, written once as a generator that yields its calls to the far side, and driven
 * either by blocking calls or by callbacks (dispatch.ts).
 */
import type { FsApi, FsTarget } from './api.ts';

type Method = keyof FsApi & string;

/** Something that another call has asked for, and that will come. */
export interface Arrival {
  /** Called once it is there. */
  onArrival(resume: () => void): void;
}

export interface Step {
  /** Not a call: go on when this is there. Only in work that need not block. */
  readonly arrival?: Arrival;
  readonly name: Method;
  readonly args: readonly unknown[];
}

/** Yields steps, is resumed with their answers, returns what the binding's function returns. */
export type Work<T = unknown> = Generator<Step, T, unknown>;

/** How errors of this call look: `path` and `dest` as the caller gave them. */
export interface Shown {
  readonly syscall: string;
  readonly path?: unknown;
  readonly dest?: unknown;
  /** Node itself names a path here that the caller did not give: the far side's word stands. */
  readonly ownPath?: boolean;
  /** Native steps, whose errors are not libuv's: as the far side tells them. */
  readonly asTold?: boolean;
  /** The path is shown although the far side's error has none. */
  readonly pathAlways?: boolean;
  /** The operation is on an open file: a lost connection is an EIO of the device. */
  readonly file?: boolean;
}

export interface Task {
  readonly target: FsTarget;
  readonly work: Work;
  readonly shown: Shown;
}

/** One call to the far side, with its types. */
export function* ask<K extends Method>(
  name: K,
  ...args: Parameters<FsApi[K]>
): Work<ReturnType<FsApi[K]>> {
  return (yield { name, args }) as ReturnType<FsApi[K]>;
}

export function* arrival(of: Arrival): Work<void> {
  yield { name: 'read', args: [], arrival: of };
}

/** Work that needs nobody. */
// biome-ignore lint/correctness/useYield: the driver wants a generator, also for an answer that is known.
export function* known<T>(value: T): Work<T> {
  return value;
}

/** Work that fails; as work, the failure reaches the caller in the form that the caller asked for. */
// biome-ignore lint/correctness/useYield: see `known`.
export function* failing(error: unknown): Work<never> {
  throw error;
}

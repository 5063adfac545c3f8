/**
 * The async context that says which scope the running code belongs to. It knows nothing of what a scope is; the scope
 * layer puts its objects in, and everything that must never be caught by our own substitutions (transports, the agent's
 * handlers) runs through `runLocally` or `runDetached`.
 *
 * The state is one per process, under a registered symbol, so that two copies of the package share one current scope.
 */
import { AsyncLocalStorage } from 'node:async_hooks';

/** Whatever the scope layer stores; opaque here. */
export type Context = object;

/** The context of `withLocal`: inside it nothing is remote, whatever surrounds it. */
export const LOCAL: Context = Object.freeze({ elsewhere: 'local' });

interface ContextState {
  readonly version: 1;
  readonly storage: AsyncLocalStorage<Context>;
  /** The scope of the whole process under `elsewhere run`: a plain variable, so that awaits cost nothing extra. */
  fallback: Context | undefined;
  /** Set while a synchronous piece of the toolkit's own work runs; wins over everything. */
  forced: Context | undefined;
}

const KEY = Symbol.for('elsewhere.context');

function sharedState(): ContextState {
  const holder = globalThis as { [KEY]?: ContextState };
  const known = holder[KEY];
  if (known?.version === 1) return known;
  // Sealed: jest takes away, after each test file, what can be deleted of objects that hang on the global one.
  const fresh: ContextState = Object.seal<ContextState>({
    version: 1,
    storage: new AsyncLocalStorage(),
    fallback: undefined,
    forced: undefined,
  });
  // Not enumerable: Node's own tests fail every program that leaves a new enumerable global behind.
  Object.defineProperty(globalThis, KEY, { value: fresh, enumerable: false, configurable: true });
  return fresh;
}

const state: ContextState = sharedState();

/** The context of the running code; `undefined` when it is local. Called by every dispatcher, so it must stay this small. */
export function currentContext(): Context | undefined {
  const found = state.forced ?? state.storage.getStore() ?? state.fallback;
  return found === LOCAL ? undefined : found;
}

/** Runs `fn`, and everything it starts, in `context`. */
export function runInContext<R>(context: Context, fn: () => R): R {
  return state.storage.run(context, fn);
}

/** Runs the synchronous `fn` as local code. Costs no AsyncLocalStorage: what `fn` starts for later keeps the caller's context. */
export function runLocally<R>(fn: () => R): R {
  return runBriefly(LOCAL, fn);
}

/** The same in any context. */
export function runBriefly<R>(context: Context, fn: () => R): R {
  const before = state.forced;
  state.forced = context;
  try {
    return fn();
  } finally {
    state.forced = before;
  }
}

/** Runs `fn`, and everything it starts, as local code; free when no scope is in force. */
export function runDetached<R>(fn: () => R): R {
  return currentContext() === undefined ? fn() : state.storage.run(LOCAL, fn);
}

/** Makes `context` the scope of all code that is in no other one. */
export function setFallbackContext(context: Context | undefined): void {
  state.fallback = context;
}

/** Where a connection goes: by the mark on its options, else by the current scope. */
import { MARKED_LOCAL, ROUTE } from '../../src/base/route-mark.ts';
import type { LocalContext, ScopeView } from '../../src/patch.ts';
import type { NetCalls, NetStreams } from './api.ts';
import type { NetTarget } from './link.ts';

export interface Route {
  /** Undefined: local. */
  readonly target: NetTarget | undefined;
  /** Runs the synchronous part of connecting where it belongs: names must be looked up on the same side. */
  run<R>(fn: () => R): R;
}

export class Routes {
  readonly #context: LocalContext<NetCalls, NetStreams>;
  readonly #targets = new WeakMap<ScopeView, NetTarget | undefined>();

  constructor(context: LocalContext<NetCalls, NetStreams>) {
    this.#context = context;
  }

  /** The current scope's target. */
  current(): NetTarget | undefined {
    return this.#context.target();
  }

  of(options: Record<PropertyKey, unknown>): Route {
    const mark = options[ROUTE];
    if (mark === undefined) return { target: this.#context.target(), run: (fn) => fn() };
    if (mark === MARKED_LOCAL) return { target: undefined, run: (fn) => this.#context.locally(fn) };
    const scope = mark as ScopeView;
    if (scope === this.#context.scope())
      return { target: this.#context.target(), run: (fn) => fn() };
    return { target: this.#targetOf(scope), run: (fn) => scope.run(fn) };
  }

  #targetOf(scope: ScopeView): NetTarget | undefined {
    if (!this.#targets.has(scope))
      this.#targets.set(
        scope,
        scope.run(() => this.#context.target()),
      );
    return this.#targets.get(scope);
  }
}

/** Where a connection goes: by the mark on its options, else by the current scope. */
import { MARKED_LOCAL, ROUTE } from '../../src/base/route-mark.ts';
import type { LocalContext, NetworkPlace, Routing, ScopeView } from '../../src/patch.ts';
import type { NetCalls, NetStreams } from './api.ts';
import type { NetTarget } from './link.ts';

export type Route = Routing<NetCalls, NetStreams>;

export class Routes {
  readonly #context: LocalContext<NetCalls, NetStreams>;

  constructor(context: LocalContext<NetCalls, NetStreams>) {
    this.#context = context;
  }

  /** The current scope's target, whatever its rules say. */
  current(): NetTarget | undefined {
    return this.#context.target();
  }

  of(options: Record<PropertyKey, unknown>): Route {
    const mark = options[ROUTE];
    if (mark === MARKED_LOCAL) return { target: undefined, run: (fn) => this.#context.locally(fn) };
    const scope = mark as ScopeView | undefined;
    if (scope === undefined || scope === this.#context.scope())
      return this.#context.route(placeOf(options));
    const route = scope.run(() => this.#context.route(placeOf(options)));
    return { ...route, run: (fn) => scope.run(() => route.run(fn)) };
  }
}

/** Of what `connect` was told, as Node takes it. */
function placeOf({ path, host, port }: Record<PropertyKey, unknown>): NetworkPlace {
  if (path) return { socketPath: String(path) };
  return { protocol: 'tcp', host: String(host || 'localhost'), port: Number(port) };
}

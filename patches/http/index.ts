/**
 * The http patch: keep-alive sockets are never shared between sides. An agent files its sockets, and https TLS sessions,
 * by name; in a scope the name tells the way that its connections go, and the options get a mark, so that a request which waited in the agent's queue still
 * connects in its own scope, whoever's event sends it off. https and most agents of other packages build on this name.
 * The rest of http needs nothing: it works on sockets. HTTP/2 sends files by itself: see http2-files.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import type http from 'node:http';
import { MARKED_LOCAL, ROUTE } from '../../src/base/route-mark.ts';
import { type AnyPatch, definePatch, type LocalContext, type ScopeView } from '../../src/patch.ts';
import { installHttp2Files } from './http2-files.ts';

type NoCalls = Record<never, never>;
type GetName = (this: http.Agent, options?: MarkedOptions) => string;
type MarkedOptions = { [ROUTE]?: unknown } & Record<string, unknown>;

/** Runs a function as if called from the top of the program, outside of every scope that was entered since. */
const atTop = AsyncLocalStorage.snapshot();

function httpLocal(context: LocalContext<NoCalls>): void {
  installHttp2Files(context);
  // Not imported: that would ask it for all that it has, which brings in fetch and all that is under it.
  const { Agent } = process.getBuiltinModule('node:http');
  const prototype = Agent.prototype as unknown as { getName: GetName };
  const original = prototype.getName;
  const suffixOf = suffixes(context);

  context.replace(
    prototype,
    'getName',
    function getName(this: http.Agent, options?: MarkedOptions): string {
      const route = options?.[ROUTE] ?? routeOf(context);
      // Agents pass options of their own making; a program that asks for a name itself may pass frozen ones.
      if (options !== undefined && Object.isExtensible(options)) options[ROUTE] = route;
      return original.call(this, options) + suffixOf(route, options);
    },
  );
}

function routeOf(context: LocalContext<NoCalls>): unknown {
  const scope = context.scope();
  return scope !== undefined && context.target() !== undefined ? scope : MARKED_LOCAL;
}

/** What is appended to an agent's names. Nothing for the side that the program is on as a whole: they are public API. */
function suffixes(
  context: LocalContext<NoCalls>,
): (route: unknown, options?: MarkedOptions) => string {
  let whole: ScopeView | undefined;
  return (route, options) => {
    if (route !== MARKED_LOCAL) {
      const { isDefault, pool, cwd } = route as ScopeView;
      // The path of a unix socket may be relative.
      return isDefault ? '' : `:elsewhere#${pool}${options?.['socketPath'] ? `#${cwd}` : ''}`;
    }
    whole ??= atTop(() => context.scope());
    return whole === undefined ? '' : ':elsewhere#local';
  };
}

export const httpPatch: AnyPatch = definePatch<NoCalls>({
  name: 'http',
  requires: ['net'],
  follows: 'net',
  answers: {},
  signals: {},
  local: httpLocal,
});

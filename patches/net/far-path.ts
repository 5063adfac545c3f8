/** Paths of unix sockets: the scope's rules for paths hold for them as for files. */
import type { LocalContext, NetworkPlace, PeerInfo, ScopeView } from '../../src/patch.ts';
import type { Dial } from './api.ts';

/** A relative path starts in the scope's directory, which may not be the agent's. */
export function farPath(
  { scope, peer }: { readonly scope: ScopeView; readonly peer: PeerInfo },
  path: string,
): string {
  const relative = scope.cwd !== peer.cwd && /^[^/\\\0]/.test(path);
  return relative ? `${scope.cwd}/${path}` : path;
}

export type SocketPlace =
  | { readonly side: 'local' }
  /** `path` after the scope's mapping. */
  | { readonly side: 'far'; readonly path: string }
  | { readonly side: 'denied'; readonly cause: unknown };

/** Where a unix socket of the running code is. Abstract ones have no place among the files. */
export function socketPlace(
  context: Pick<LocalContext<never>, 'decide'>,
  path: string,
  operation: 'connect' | 'listen',
): SocketPlace {
  if (path.startsWith('\0')) return { side: 'far', path };
  try {
    const decision = context.decide(path, operation);
    return decision === undefined ? { side: 'local' } : { side: 'far', path: decision.path };
  } catch (error) {
    return { side: 'denied', cause: (error as Error).cause };
  }
}

export function dialledPlace({ path, address = '', port = 0 }: Dial): NetworkPlace {
  return path === undefined ? { protocol: 'tcp', host: address, port } : { socketPath: path };
}

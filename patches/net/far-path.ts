/** Paths of unix sockets. */
import type { PeerInfo, ScopeView } from '../../src/patch.ts';

/** A relative path starts in the scope's directory, which may not be the agent's. */
export function farPath(
  { scope, peer }: { readonly scope: ScopeView; readonly peer: PeerInfo },
  path: string,
): string {
  const relative = scope.cwd !== peer.cwd && /^[^/\\\0]/.test(path);
  return relative ? `${scope.cwd}/${path}` : path;
}

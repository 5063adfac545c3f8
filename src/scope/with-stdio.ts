/** A scope that changes nothing but the standard streams: for captures, and for code that runs for a far caller. */
import type { StdioStreams } from '../patch.ts';
import { currentScope, install } from './installer.ts';
import { Scope } from './scope.ts';

/** Runs `fn` with these standard streams; everything else stays as it is around it. */
export function runWithStdio<R>(streams: StdioStreams, fn: () => R): R {
  install();
  const outer = currentScope();
  const routes = new Map(outer?.routes);
  routes.delete('stdio');
  const scope = new Scope({
    routes,
    cwd: outer?.cwd ?? '/',
    umask: outer?.umask,
    stdio: streams,
    localStdio: streams,
    env: outer?.env ?? 'local',
    rules: outer?.rules,
    network: outer?.network,
    children: outer?.children,
    outer,
  });
  return scope.run(fn);
}

/**
 * The working directory of a scope is the far side's. It is kept in the scope, so reading it costs nothing; changing it
 * asks the far side. `path.resolve` and `pathToFileURL` follow by themselves, since they call `process.cwd`.
 */

import nodeFs from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { ElsewhereError } from '../../src/base/errors.ts';
import { likeOriginal } from '../../src/base/shape.ts';
import { knownError } from '../../src/base/system-errors.ts';
import type { PolicyView } from '../../src/patch.ts';
import type { ProcessContext } from './api.ts';

export function substituteDirectory(context: ProcessContext): void {
  const cwd = process.cwd;
  const chdir = process.chdir;
  const cwdInScope = (): string => {
    const target = context.target();
    return target === undefined ? cwd() : target.scope.cwd;
  };
  const chdirInScope = (directory: string): void => {
    const target = context.target();
    // Node's own argument check comes first, and needs no directory.
    if (target === undefined || typeof directory !== 'string') return chdir(directory);
    const { scope } = target;
    try {
      scope.cwd = target.callSync('directory', scope.cwd, directory);
    } catch (error) {
      throw chdirError(error as NodeJS.ErrnoException, scope.cwd, directory, substitute);
    }
  };
  // In workers `chdir` is marked as disabled.
  const substitute = likeOriginal(chdir, chdirInScope);
  context.replace(process, 'cwd', likeOriginal(cwd, cwdInScope));
  context.replace(process, 'chdir', substitute);
}

/** Node's message names both directories (lib/internal/bootstrap/switches/does_own_process_state.js, node_process_methods.cc). */
function chdirError(
  cause: NodeJS.ErrnoException,
  from: string,
  to: string,
  caller: (directory: string) => void,
): Error {
  const { code } = cause;
  const known = knownError(code);
  if (known === undefined) return cause;
  const { errno, text } = known;
  const reason = cause.cause === undefined ? {} : { cause: cause.cause };
  const error = new Error(`${code}: ${text}, chdir '${from}' -> '${to}'`, reason);
  Error.captureStackTrace(error, caller);
  return Object.assign(error, { errno, code, syscall: 'chdir', path: from, dest: to });
}

/** On the far side. Its own directory stays, since others work there: the check that chdir(2) makes is made by hand. */
export function directory(policy: PolicyView, from: string, to: string): string {
  const path = isAbsolute(to) ? to : join(from, to);
  if (!nodeFs.statSync(path).isDirectory())
    throw Object.assign(new Error('not a directory'), { code: 'ENOTDIR' });
  nodeFs.accessSync(path, nodeFs.constants.X_OK);
  const real = nodeFs.realpathSync.native(path);
  const denied = policy.read(real);
  if (denied === undefined) return real;
  const cause = new ElsewhereError('ERR_ELSEWHERE_DENIED', denied);
  throw Object.assign(new Error(denied, { cause }), { code: 'EACCES' });
}

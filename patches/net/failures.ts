/** Why a remote socket was not connected, and how that becomes the error that Node makes. */
import { ElsewhereError } from '../../src/base/errors.ts';
import { errnoOf } from '../../src/base/system-errors.ts';
import type { Dial, Report } from './api.ts';
import { addressError, isSystemCode } from './errno.ts';
import type { Failure } from './inbox.ts';
import type { Owner } from './link.ts';

/** A rule of either side that forbids it. */
export function refusedBy(denied: string): Failure {
  return withCause({ kind: 'failed', code: 'EACCES', syscall: 'connect', denied });
}

export function withCause(report: Report & { kind: 'failed' }): Failure {
  const { code, syscall, denied } = report;
  if (denied === undefined) return { code, syscall };
  return { code, syscall, cause: new ElsewhereError('ERR_ELSEWHERE_DENIED', denied) };
}

/**
 * Node makes the error of a failed connect by itself, from a number. The one place to meet it is the socket's `destroy`,
 * for as long as Node deals with the failure.
 */
export function giveCause(owner: Owner | undefined, cause: unknown): () => void {
  if (owner === undefined || cause === undefined || Object.hasOwn(owner, 'destroy'))
    return () => undefined;
  const { destroy } = owner;
  const value = function destroyWithCause(this: Owner, error: Error): unknown {
    Object.defineProperty(error, 'cause', { value: cause, writable: true, configurable: true });
    return Reflect.apply(destroy, this, [error]);
  };
  Object.defineProperty(owner, 'destroy', { value, writable: true, configurable: true });
  return () => void Reflect.deleteProperty(owner, 'destroy');
}

/** The far side refused the stream with a system's code (EMFILE, EACCES), or it is out of reach. */
export function refusalCode(error: Error): string {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' && isSystemCode(code) ? code : 'ENETUNREACH';
}

/** Node binds before it connects, and reports that apart. Among several attempts it would go on with the next: we can't. */
export function bindError(
  owner: Owner | undefined,
  { localAddress, localPort = 0 }: Dial,
  { syscall, code }: Failure,
): Error | undefined {
  if (syscall !== 'bind' || owner === undefined || localAddress === undefined) return undefined;
  if (owner.autoSelectFamilyAttemptedAddresses !== undefined) return undefined;
  return addressError(errnoOf(code), 'bind', localAddress, localPort);
}

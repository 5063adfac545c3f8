/** Why a remote socket was not connected, and how that becomes the error that Node makes. */
import { ElsewhereError } from '../../src/base/errors.ts';
import { errnoOf } from '../../src/base/system-errors.ts';
import type { Dial, Report } from './api.ts';
import { addressError, isSystemCode } from './errno.ts';
import type { Failure } from './inbox.ts';
import type { ConnectRequest } from './internals.ts';
import type { Owner } from './link.ts';

/** A rule of either side that forbids it. */
export function refusedBy(denied: string): Failure {
  return withCause({ kind: 'failed', code: 'EACCES', syscall: 'connect', denied });
}

export function withCause(report: Report & { kind: 'failed' }): Failure {
  const { code, syscall, denied, local } = report;
  if (denied === undefined) return { code, syscall, ...(local === undefined ? {} : { local }) };
  return { code, syscall, cause: new ElsewhereError('ERR_ELSEWHERE_DENIED', denied) };
}

/** What the error of a failed connect shall tell besides its number, for as long as Node makes it. Returns what ends that. */
export function giveDetails(
  owner: Owner | undefined,
  request: ConnectRequest,
  failure: Failure,
): () => void {
  const given = [giveCause(owner, failure.cause), giveLocal(owner, request, failure)];
  return () => {
    for (const takeBack of given) takeBack();
  };
}

/**
 * Node makes the error of a failed connect by itself, from a number. The one place to meet it is the socket's `destroy`,
 * for as long as Node deals with the failure.
 */
function giveCause(owner: Owner | undefined, cause: unknown): () => void {
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

/**
 * Node reports apart what the system refuses at once: it binds before it connects, and needs not wait for a connect without
 * a route. Among several attempts it goes on with the next (of a bind we can't tell it).
 */
export function errorAtOnce(
  owner: Owner | undefined,
  { address, path, port = 0, localAddress, localPort = 0 }: Dial,
  { syscall, code, local }: Failure,
): Error | undefined {
  if (owner === undefined || isOneOfSeveral(owner)) return undefined;
  if (syscall === 'bind' && localAddress !== undefined)
    return addressError(errnoOf(code), 'bind', localAddress, localPort);
  if (local === undefined) return undefined;
  return addressError(errnoOf(code), 'connect', path ?? address ?? '', port, local);
}

/** Node makes the error of one of several attempts with the local end of its request, and adds properties for it. */
function giveLocal(
  owner: Owner | undefined,
  request: ConnectRequest,
  { local }: Failure,
): () => void {
  if (owner === undefined || local === undefined) return () => undefined;
  const colon = local.lastIndexOf(':');
  request.localAddress = local.slice(0, colon);
  request.localPort = local.slice(colon + 1);
  const asAtOnce = (_address: string, _port: number, _family: number, error: object): void => {
    Reflect.deleteProperty(error, 'localAddress');
    Reflect.deleteProperty(error, 'localPort');
  };
  owner.prependOnceListener('connectionAttemptFailed', asAtOnce);
  return () => owner.removeListener('connectionAttemptFailed', asAtOnce);
}

function isOneOfSeveral(owner: Owner): boolean {
  return owner.autoSelectFamilyAttemptedAddresses !== undefined;
}

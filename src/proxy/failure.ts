/** Why a place could not be reached, as a proxy's client is to be told. */
import { ElsewhereError, isElsewhereError } from '../base/errors.ts';
import type { ExposeOptions } from '../service/expose.ts';
import { formatPlace } from './place.ts';
import type { ProxyEvent } from './traffic.ts';

export interface Failure {
  /** Node's code: ECONNREFUSED, ENOTFOUND, EACCES… */
  readonly code: string;
  /** A rule forbids it. */
  readonly denied: boolean;
  /** One sentence. */
  readonly text: string;
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'the connection was reset',
  ETIMEDOUT: 'no answer in time',
  ENETUNREACH: 'there is no way to that network',
  EHOSTUNREACH: 'there is no way to that host',
  ENOTFOUND: 'there is no host of that name',
  EAI_AGAIN: 'the name servers do not answer',
  ENOENT: 'there is no such socket',
  EACCES: 'not allowed',
};

export function failureOf(thrown: unknown, { to, kind }: ProxyEvent): Failure {
  const error = firstOf(thrown);
  const { code = 'UNKNOWN', cause } = error as { code?: string; cause?: unknown };
  const ours = isElsewhereError(cause) ? cause : undefined;
  const reason = ours?.message ?? REASONS[code] ?? error.message;
  return {
    code,
    denied: ours?.code === 'ERR_ELSEWHERE_DENIED',
    text: `${to} is not reached from ${kind === 'reverse' ? 'here' : 'the far side'}: ${reason} (${code})`,
  };
}

/** Why a port of the far side cannot be had: what its policy says, or Node over there. */
export function notPublished(error: Error, { remoteHost, remotePort }: ExposeOptions): Error {
  // Arguments that are none, or given up.
  if (!('syscall' in error)) return error;
  const { cause } = error;
  const denied = isElsewhereError(cause) && cause.code === 'ERR_ELSEWHERE_DENIED';
  const place = formatPlace({ host: remoteHost ?? '127.0.0.1', port: remotePort ?? 0 });
  return new ElsewhereError(
    denied ? 'ERR_ELSEWHERE_DENIED' : 'ERR_ELSEWHERE_CONNECT',
    `the far side cannot listen on ${place}: ${denied ? cause.message : error.message}`,
    { cause: error },
  );
}

/** Of several addresses that were tried, the first tells. */
function firstOf(thrown: unknown): Error {
  if (thrown instanceof AggregateError && thrown.errors[0] instanceof Error)
    return thrown.errors[0];
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

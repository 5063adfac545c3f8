/** Rebuilds Node's own errors: message, own keys and their order as lib/internal/errors.js (UVException) makes them. */
import { getSystemErrorMap } from 'node:util';
import { ElsewhereError, isElsewhereError } from '../../src/base/errors.ts';

/** What an operation is about, as the caller gave it: that is what Node's messages show. */
export interface ErrorPlace {
  readonly path?: unknown;
  readonly dest?: unknown;
  /** The caller's frame is the first one above this function. */
  readonly above?: ((...args: never[]) => unknown) | undefined;
}

let numbers: Map<string, readonly [number, string]> | undefined;

/** Errno and text by code. The far side's own errno is another system's number. */
function systemError(code: string): readonly [number, string] | undefined {
  numbers ??= new Map(
    [...getSystemErrorMap()].map(([errno, [name, text]]) => [name, [errno, text] as const]),
  );
  return numbers.get(code);
}

/** Node's error for `code`; without a stack where there is no caller to show. */
export function uvError(code: string, syscall: string, place: ErrorPlace): NodeJS.ErrnoException {
  const [errno, text] = systemError(code) ?? [undefined, 'unknown error'];
  let message = `${code}: ${text}, ${syscall}`;
  if (place.path !== undefined) message += ` '${String(place.path)}'`;
  if (place.dest !== undefined) message += ` -> '${String(place.dest)}'`;
  const error = bareError(message, place.above);
  error.errno = errno as number;
  error.code = code;
  error.syscall = syscall;
  if (place.path !== undefined) error.path = String(place.path);
  if (place.dest !== undefined) (error as { dest?: string }).dest = String(place.dest);
  return error;
}

function bareError(message: string, above: ErrorPlace['above']): NodeJS.ErrnoException {
  const limit = Error.stackTraceLimit;
  if (above === undefined) Error.stackTraceLimit = 0;
  const error: NodeJS.ErrnoException = new Error(message);
  Error.stackTraceLimit = limit;
  if (above !== undefined) Error.captureStackTrace(error, above);
  return error;
}

/** The error of an operation on the far side, as it would have been here. */
export function localError(remote: unknown, place: ErrorPlace): unknown {
  const { code, syscall } = (remote ?? {}) as NodeJS.ErrnoException;
  if (isElsewhereError(remote) || typeof code !== 'string' || typeof syscall !== 'string')
    return remote;
  if (systemError(code) === undefined) return remote;
  return uvError(code, syscall, place);
}

/** For operations on a descriptor whose session is over: what a device that went away gives. */
export function lostDescriptor(remote: unknown, syscall: string, place: ErrorPlace): unknown {
  if (!isElsewhereError(remote)) return localError(remote, place);
  if (remote.code !== 'ERR_ELSEWHERE_CONNECTION_LOST' && remote.code !== 'ERR_ELSEWHERE_CLOSED')
    return remote;
  return Object.defineProperty(uvError('EIO', syscall, place), 'cause', {
    value: remote,
    configurable: true,
    writable: true,
  });
}

export function unsupported(what: string, instead: string): ElsewhereError {
  return new ElsewhereError(
    'ERR_ELSEWHERE_UNSUPPORTED',
    `${what} does not work on the far side yet: ${instead}`,
  );
}

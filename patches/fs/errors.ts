/**
 * Errors of the far side as Node here would have made them: the same message, the same properties in the same order,
 * this system's error numbers, and the path as the caller wrote it.
 */
import { isElsewhereError } from '../../src/base/errors.ts';
import { knownError } from '../../src/base/system-errors.ts';
import type { Shown } from './work.ts';

interface SystemError extends Error {
  errno?: number;
  code?: string;
  syscall?: string;
  path?: string;
  dest?: string;
}

interface Facts {
  readonly code: string;
  readonly syscall: string;
  readonly path?: string | undefined;
  readonly dest?: string | undefined;
  readonly cause?: unknown;
}

/** An error as libuv's would be. Made without a stack: the caller captures one, or it is asynchronous and has none. */
export function systemError({ code, syscall, path, dest, cause }: Facts): Error {
  const { errno, text } = knownError(code) ?? { errno: -1, text: 'unknown error' };
  let message = `${code}: ${text}, ${syscall}`;
  if (path !== undefined) message += ` '${path}'`;
  if (dest !== undefined) message += ` -> '${dest}'`;
  const error = withoutStack(() => new Error(message, cause === undefined ? undefined : { cause }));
  const result: SystemError = error;
  // Node's order of own keys.
  result.errno = errno;
  result.code = code;
  result.syscall = syscall;
  if (path !== undefined) result.path = path;
  if (dest !== undefined) result.dest = dest;
  return result;
}

function withoutStack<T>(make: () => T): T {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return make();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** What the caller is shown for a failure on the far side, or on the way to it. */
export function shapeError(error: unknown, shown: Shown): unknown {
  if (!(error instanceof Error)) return error;
  if (isElsewhereError(error)) {
    return shown.file === true
      ? systemError({ code: 'EIO', syscall: shown.syscall, cause: error })
      : error;
  }
  const { code, syscall, path, dest, cause } = error as SystemError;
  if (code === undefined || syscall === undefined || knownError(code) === undefined) return error;
  if (shown.asTold === true) return error;
  return systemError({
    code,
    syscall,
    path: shownPath(path, shown),
    dest: dest === undefined ? undefined : text(shown.dest ?? dest),
    cause,
  });
}

function shownPath(path: string | undefined, shown: Shown): string | undefined {
  if (shown.ownPath === true) return path;
  if (path === undefined && shown.pathAlways !== true) return undefined;
  return shown.path === undefined ? undefined : text(shown.path);
}

/** Node shows a path of bytes as UTF-8. */
function text(path: unknown): string {
  return path instanceof Uint8Array ? Buffer.from(path).toString() : String(path);
}

export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && codes.includes(String((error as SystemError).code));
}

/** Some blocking functions are given an object that takes the error instead of throwing it. */
export function fillContext(context: object, error: unknown): boolean {
  const { errno, syscall } = error as SystemError;
  if (errno === undefined) return false;
  // Node adds the code itself, after what it finds here.
  Object.assign(context, { errno, syscall });
  return true;
}

/** The same error with its paths, also those in the middle of its message, as the caller wrote them. */
export function asWritten(
  error: unknown,
  ...paths: readonly { readonly prefix: string }[]
): unknown {
  if (!(error instanceof Error)) return error;
  const texts = error as unknown as Record<string, unknown>;
  for (const key of ['message', 'path', 'dest'])
    for (const { prefix } of paths)
      if (prefix !== '' && typeof texts[key] === 'string')
        texts[key] = texts[key].replaceAll(prefix, '');
  return error;
}

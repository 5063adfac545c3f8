/**
 * What comes back from the far side is believed only if it is what the operation gives: an agent that was taken over, or
 * is none of ours, must not bring values into a program that Node's own functions never return.
 */
import { ElsewhereError } from './errors.ts';

/** Whether this is an answer to a call with these arguments. */
export type IsAnswer = (answer: unknown, args: never) => boolean;

/** As Node's errors are: what is none is no failure of an operation either. */
export function isFailure(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false;
  const { message, code, errno, syscall, path, dest } = error as Record<string, unknown>;
  return (
    typeof message === 'string' &&
    // Those of an AbortError are numbers.
    (code === undefined || typeof code === 'string' || typeof code === 'number') &&
    (errno === undefined || typeof errno === 'number') &&
    [syscall, path, dest].every((value) => value === undefined || typeof value === 'string')
  );
}

/** `method`: of the patch and its operation, as in 'fs.stat'. */
export function badReply(method: string, value: unknown): ElsewhereError {
  return new ElsewhereError(
    'ERR_ELSEWHERE_BAD_REPLY',
    `the far side answered ${method} with what it never gives (${nameOf(value)}): its agent is broken or hostile, and the connection was closed`,
  );
}

/** Nothing of the value itself: it may be large, or made for a terminal. */
function nameOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  return ArrayBuffer.isView(value) ? 'bytes' : typeof value;
}

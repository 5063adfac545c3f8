/** What a test threw, as text: never anything of it is handed on, since looking at it may fail or go to another machine. */
import { inspect, types } from 'node:util';

export function toError(thrown: unknown): Error {
  if (types.isNativeError(thrown)) return thrown;
  return new Error(`this was thrown, which is no error: ${textOf(thrown)}`);
}

/** With the stack, the causes and the error's own properties; an assertion's message holds the difference already. */
export function describe(error: Error): string {
  if ((error as { code?: unknown }).code === 'ERR_ASSERTION') return error.stack ?? error.message;
  return textOf(error);
}

/** An error that uvu prints as that text and nothing more. */
export function printable(text: string): Error {
  const error = new Error(text.replaceAll('\n', '\n    '));
  error.stack = 'Error';
  return error;
}

function textOf(value: unknown): string {
  try {
    return inspect(value, { depth: 4, maxStringLength: 2_000, maxArrayLength: 50 });
  } catch (error) {
    return `(it cannot be shown: ${String(error)})`;
  }
}

/** One line for each remote operation, as strace prints system calls: from the diagnostics channels. */
import { subscribe } from 'node:diagnostics_channel';
import { inspect } from 'node:util';
import type { CallMessage, ResumeMessage, StreamMessage } from '../session/observed-session.ts';

/** Characters of one value. */
const LONGEST = 60;

/** Hands a line, without its end, to `write` for whatever ends from now on. */
export function startTrace(write: (line: string) => void): void {
  subscribe('elsewhere:call', (message) => {
    const { method, args, error, value, milliseconds } = message as CallMessage;
    write(`${operation(method, args)} = ${outcome(error, value)} ${took(milliseconds)}`);
  });
  subscribe('elsewhere:stream', (message) => {
    const { method, args, stream, state, error, milliseconds } = message as StreamMessage;
    if (state === 'open') return write(`${operation(method, args)} = stream ${stream}`);
    const how = error === undefined ? 'closed' : outcome(error, undefined);
    write(`stream ${stream} of ${method}: ${how} ${took(milliseconds)}`);
  });
  subscribe('elsewhere:resume', (message) => {
    const { state, error, milliseconds } = message as ResumeMessage;
    const more = state === 'up' ? ` after ${milliseconds?.toFixed(0)} ms` : `: ${error?.message}`;
    write(`--- ${state}${more} ---`);
  });
}

/** `fs.stat('/x')`, each argument in at most so many characters. */
export function operation(
  method: string,
  args: readonly unknown[],
  longest: number = LONGEST,
): string {
  return `${method}(${args.map((arg) => brief(arg, longest)).join(', ')})`;
}

/** What became of it: the error's code, or the value. */
export function outcome(error: unknown, value: unknown): string {
  if (error === undefined) return brief(value);
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : brief(error instanceof Error ? String(error) : error);
}

export const took = (milliseconds: number): string => `<${milliseconds.toFixed(2)} ms>`;

function brief(value: unknown, longest = LONGEST): string {
  if (value instanceof Uint8Array) return `<${value.length} bytes>`;
  const text = inspect(value, {
    depth: 1,
    maxArrayLength: 6,
    maxStringLength: longest,
    breakLength: Number.POSITIVE_INFINITY,
    compact: true,
  });
  // What a peer says makes no lines of its own.
  const line = text.replace(/\p{Cc}+/gu, ' ');
  return line.length > longest ? `${line.slice(0, longest)}...` : line;
}

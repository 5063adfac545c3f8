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
    write(`${operation(method, args)} = ${outcome(error, value)} ${time(milliseconds)}`);
  });
  subscribe('elsewhere:stream', (message) => {
    const { method, args, stream, state, error, milliseconds } = message as StreamMessage;
    if (state === 'open') return write(`${operation(method, args)} = stream ${stream}`);
    const how = error === undefined ? 'closed' : outcome(error, undefined);
    write(`stream ${stream} of ${method}: ${how} ${time(milliseconds)}`);
  });
  subscribe('elsewhere:resume', (message) => {
    const { state, error, milliseconds } = message as ResumeMessage;
    const more = state === 'up' ? ` after ${milliseconds?.toFixed(0)} ms` : `: ${error?.message}`;
    write(`--- ${state}${more} ---`);
  });
}

function operation(method: string, args: readonly unknown[]): string {
  return `${method}(${args.map(brief).join(', ')})`;
}

function outcome(error: unknown, value: unknown): string {
  if (error === undefined) return brief(value);
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : brief(error instanceof Error ? String(error) : error);
}

const time = (milliseconds: number): string => `<${milliseconds.toFixed(2)} ms>`;

function brief(value: unknown): string {
  if (value instanceof Uint8Array) return `<${value.length} bytes>`;
  const text = inspect(value, {
    depth: 1,
    maxArrayLength: 6,
    maxStringLength: LONGEST,
    breakLength: Number.POSITIVE_INFINITY,
    compact: true,
  });
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}...` : text;
}

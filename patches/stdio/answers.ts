/** What the far side may answer about its standard streams. */
import {
  bytes,
  count,
  flag,
  listOf,
  never,
  nothing,
  numbers64,
  record,
  tuple,
} from '../../src/base/kind.ts';
import type { Answers, Signals } from '../../src/patch.ts';
import type { StdioCalls, StdioStreams, TerminalInfo } from './api.ts';

const terminals = listOf(record<TerminalInfo>({ isTTY: flag, columns: count, rows: count }));

export const STDIO_ANSWERS: Answers<StdioCalls> = {
  info: (answer): answer is TerminalInfo[] => terminals(answer) && answer.length === 3,
  raw: nothing,
  finish: nothing,
  take: (answer, [length]): answer is Uint8Array => bytes(answer) && answer.length <= length,
  stats: numbers64(18),
};

export const STDIO_SIGNALS: Signals<StdioStreams> = {
  sizes: tuple<[number, number]>(count, count),
  write: count,
  read: never,
};

/** What the far side may answer to each operation of the child_process patch. */
import {
  bytes,
  count,
  either,
  integer,
  type Kind,
  listOf,
  nothing,
  oneOf,
  orNull,
  record,
  text,
  tuple,
} from '../../src/base/kind.ts';
import type { Answers, Signals } from '../../src/patch.ts';
import type { ChildCalls, ChildStreams, Exit, SyncResult, SyncStep } from './api.ts';

const result: Kind<SyncResult> = record<SyncResult>({
  pid: integer,
  status: orNull(integer),
  signal: orNull(text),
  output: orNull(listOf(orNull(bytes))),
  error: orNull(text),
});

const step: Kind<SyncStep> = record<SyncStep>({
  id: count,
  live: listOf(tuple<readonly [number, Uint8Array]>(count, bytes)),
  result: orNull(result),
});

export const CHILD_ANSWERS: Answers<ChildCalls> = {
  spawn: either(
    record<{ readonly id: number; readonly pid: number }>({ id: count, pid: count }),
    record<{ readonly error: string }>({ error: text }),
  ),
  exit: record<Exit>({ code: integer, signal: text }),
  kill: text,
  drop: nothing,
  run: step,
  runOn: step,
};

export const CHILD_SIGNALS: Signals<ChildStreams> = {
  pipe: either(oneOf('eof', 'shutdown'), record<{ readonly broken: string }>({ broken: text })),
};

/** What the far side may answer about its process. */
import {
  bigint,
  count,
  flag,
  listOf,
  nothing,
  number,
  record,
  recordOf,
  text,
} from '../../src/base/kind.ts';
import type { Answers } from '../../src/patch.ts';
import type { ProcessApi } from './api.ts';

const groups = listOf(count);

export const PROCESS_ANSWERS: Answers<ProcessApi> = {
  directory: text,
  environment: recordOf(text),
  fact: (answer, [name]): answer is unknown =>
    name === 'getgroups' ? groups(answer) : count(answer),
  change: flag,
  known: flag,
  clocks: record<{ hrtime: bigint; uptime: number }>({ hrtime: bigint, uptime: number }),
  kill: nothing,
};

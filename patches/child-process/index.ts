/**
 * The child_process patch: children of a scope run on the far side. Node's own JavaScript (spawn, exec, fork, timeouts,
 * events) stays in use above a process handle and pipes that lead there.
 */
import { type AnyPatch, definePatch } from '../../src/patch.ts';
import { CHILD_ANSWERS, CHILD_SIGNALS } from './answers.ts';
import type { ChildCalls, ChildStreams } from './api.ts';
import { childLocal } from './local.ts';
import { childRemote } from './remote.ts';

export const childProcessPatch: AnyPatch = definePatch<ChildCalls, ChildStreams>({
  name: 'child_process',
  answers: CHILD_ANSWERS,
  signals: CHILD_SIGNALS,
  // What a child wrote, whole.
  largest: 2 ** 30,
  local: childLocal,
  remote: childRemote,
});

/** Standard streams and console of a scope. */
import { type AnyPatch, definePatch } from '../../src/patch.ts';
import { STDIO_ANSWERS, STDIO_SIGNALS } from './answers.ts';
import type { StdioCalls, StdioStreams } from './api.ts';
import { stdioLocal } from './local.ts';
import { stdioRemote } from './remote.ts';

export const stdioPatch: AnyPatch = definePatch<StdioCalls, StdioStreams>({
  name: 'stdio',
  answers: STDIO_ANSWERS,
  signals: STDIO_SIGNALS,
  local: stdioLocal,
  remote: stdioRemote,
});

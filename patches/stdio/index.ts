/** Standard streams and console of a scope. */
import { type AnyPatch, definePatch } from '../../src/patch.ts';
import type { StdioCalls, StdioStreams } from './api.ts';
import { stdioLocal } from './local.ts';
import { stdioRemote } from './remote.ts';

export const stdioPatch: AnyPatch = definePatch<StdioCalls, StdioStreams>({
  name: 'stdio',
  local: stdioLocal,
  remote: stdioRemote,
});

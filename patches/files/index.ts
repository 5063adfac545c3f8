/** node:fs in a scope, at the level of Node's own binding. */
import { type AnyPatch, definePatch } from '../../src/patch.ts';
import type { FsApi } from './api.ts';
import { fsLocal } from './local.ts';
import { fsRemote } from './remote.ts';

export const fsPatch: AnyPatch = definePatch<FsApi>({
  name: 'fs',
  local: fsLocal,
  remote: fsRemote,
});

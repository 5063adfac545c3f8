/** The net patch: client sockets of a scope are dialled on the far side. Servers stay local (a stated limit). */
import { type AnyPatch, definePatch } from '../../src/patch.ts';
import type { NetCalls, NetStreams } from './api.ts';
import { netLocal } from './local.ts';
import { netRemote } from './remote.ts';

export const netPatch: AnyPatch = definePatch<NetCalls, NetStreams>({
  name: 'net',
  local: netLocal,
  remote: netRemote,
});

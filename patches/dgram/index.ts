/** The dgram patch: UDP sockets of a scope are the far side's. */
import { type AnyPatch, definePatch } from '../../src/patch.ts';
import type { DgramCalls, DgramStreams } from './api.ts';
import { dgramLocal } from './local.ts';
import { dgramRemote } from './remote.ts';

export const dgramPatch: AnyPatch = definePatch<DgramCalls, DgramStreams>({
  name: 'dgram',
  follows: 'net',
  local: dgramLocal,
  remote: dgramRemote,
});

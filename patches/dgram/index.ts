/** The dgram patch: UDP sockets of a scope are the far side's. */
import { type AnyPatch, definePatch } from '../../src/patch.ts';
import { DGRAM_ANSWERS, DGRAM_SIGNALS } from './answers.ts';
import type { DgramCalls, DgramStreams } from './api.ts';
import { dgramLocal } from './local.ts';
import { dgramRemote } from './remote.ts';

export const dgramPatch: AnyPatch = definePatch<DgramCalls, DgramStreams>({
  name: 'dgram',
  follows: 'net',
  answers: DGRAM_ANSWERS,
  signals: DGRAM_SIGNALS,
  local: dgramLocal,
  remote: dgramRemote,
});

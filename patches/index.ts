/** All patches, in the order of substitution. */
import type { AnyPatch } from '../src/patch.ts';
import { childProcessPatch } from './child-process/index.ts';
import { dgramPatch } from './dgram/index.ts';
import { dnsPatch } from './dns/index.ts';
import { fetchPatch } from './fetch.ts';
import { fsPatch } from './fs/index.ts';
import { httpPatch } from './http/index.ts';
import { netPatch, serverPatch } from './net/index.ts';
import { osPatch } from './os.ts';
import { processPatch } from './process/index.ts';
import { stdioPatch } from './stdio/index.ts';

export { type Change, Overlay, type OverlayOptions } from './fs/index.ts';

export const patches: readonly AnyPatch[] = [
  fsPatch,
  netPatch,
  serverPatch,
  dnsPatch,
  dgramPatch,
  httpPatch,
  fetchPatch,
  osPatch,
  stdioPatch,
  processPatch,
  childProcessPatch,
];

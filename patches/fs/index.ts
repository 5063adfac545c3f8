/** The fs patch: files of a scope are the far side's. Node's own JavaScript above its fs binding stays in use. */
import { type AnyPatch, definePatch } from '../../src/patch.ts';
import { FS_ANSWERS, FS_SIGNALS } from './answers.ts';
import type { FsApi, FsStreams } from './api.ts';
import { FS_TABLE, PROMISES_TABLE } from './coverage.ts';
import { fsLocal } from './local.ts';
import { fsRemote } from './remote.ts';

export { type Change, Overlay, type OverlayOptions } from './overlay/index.ts';

export const fsPatch: AnyPatch = definePatch<FsApi, FsStreams>({
  name: 'fs',
  coverage: { fs: FS_TABLE, 'fs/promises': PROMISES_TABLE },
  answers: FS_ANSWERS,
  signals: FS_SIGNALS,
  local: fsLocal,
  remote: fsRemote,
});

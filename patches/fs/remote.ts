/** The remote half: plain functions over this machine's `fs`. What the peer opened is closed when its session ends. */
import { provideHeld } from '../../src/base/far-handles.ts';
import { giveBack } from '../../src/base/spare-memory.ts';
import type { RemoteContext, RemoteHalf } from '../../src/patch.ts';
import type { FsApi, FsStreams } from './api.ts';
import { guarded, guardedStreams } from './guard.ts';
import { Held } from './remote-files.ts';
import { choosing } from './remote-io.ts';
import { openHandlers } from './remote-open.ts';
import { changeHandlers, fileChangeHandlers, lookHandlers } from './remote-paths.ts';
import { directoryHandlers, flushHandlers, treeHandlers } from './remote-trees.ts';
import { watchHandlers } from './remote-watch.ts';

/** `alwaysNow` answers everything before it returns, to a caller in the same thread, whose bytes stay its own. */
export function fsRemote(
  context: RemoteContext,
  { alwaysNow = false }: { alwaysNow?: boolean } = {},
): RemoteHalf<FsApi, FsStreams> {
  const held = new Held();
  const choose = choosing(alwaysNow);
  context.onEnd(() => held.closeAll());
  provideHeld(context, (id) => held.descriptor(id));
  const { watch, ...streams } = watchHandlers(context);
  return {
    calls: guarded<RemoteHalf<FsApi, FsStreams>['calls']>(context.policy, {
      ...lookHandlers,
      ...changeHandlers,
      ...fileChangeHandlers(held),
      ...openHandlers(held, choose, alwaysNow ? () => undefined : giveBack),
      ...treeHandlers(choose),
      ...flushHandlers(held, choose),
      ...directoryHandlers(held),
      watch,
    }),
    streams: guardedStreams(context.policy, streams),
  };
}

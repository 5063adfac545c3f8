/** Keeps references to `fs.watch` and `fs.watchFile` that were taken early from watching local paths in a scope. */
import { ElsewhereError } from '../../src/base/errors.ts';
import { nodeBinding } from '../../src/base/node-binding.ts';
import type { LocalContext } from '../../src/patch.ts';
import type { FsApi } from './api.ts';
import type { FsBinding } from './binding.ts';
import { isPath, remotePath } from './paths.ts';

interface WatcherClass {
  readonly prototype: { start: (path: unknown, ...rest: unknown[]) => unknown };
}

export function guardWatchers(context: LocalContext<FsApi>, binding: FsBinding): void {
  const events = nodeBinding<{ FSEvent?: WatcherClass }>('fs_event_wrap')?.FSEvent;
  for (const native of [binding['StatWatcher'] as WatcherClass | undefined, events]) {
    if (native === undefined) continue;
    const { start } = native.prototype;
    context.replace(native.prototype, 'start', function (this: unknown, ...args): unknown {
      const [path] = args;
      const far =
        context.target() !== undefined &&
        isPath(path) &&
        remotePath(context, path, 'watch') !== undefined;
      if (far) {
        throw new ElsewhereError(
          'ERR_ELSEWHERE_UNSUPPORTED',
          `${String(path)} is on the far side and cannot be watched: compare fs.stat at intervals, or watch a local path in withLocal(fn)`,
        );
      }
      return start.apply(this, args);
    });
  }
}

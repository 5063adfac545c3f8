/** The remote half: children of this machine for one client. They end with its session, unless detached. */
import type { RemoteContext, RemoteHalf } from '../../src/patch.ts';
import type { ChildCalls, ChildStreams } from './api.ts';
import { Children, Refused } from './remote-children.ts';
import { relay } from './remote-pipe.ts';
import { Runs } from './remote-run.ts';

export function childRemote(context: RemoteContext): RemoteHalf<ChildCalls, ChildStreams> {
  const children = new Children(context);
  const runs = new Runs(children);
  return {
    calls: {
      spawn: (launch, stdio) => {
        try {
          const { id, pid } = children.start(launch, stdio);
          return { id, pid };
        } catch (error) {
          if (error instanceof Refused) return { error: error.code };
          throw error;
        }
      },
      exit: async (id) => {
        const child = children.get(id);
        if (child === undefined) throw new Error(`there is no child ${id}`);
        return child.exited;
      },
      kill: (id, signal) => children.get(id)?.kill(signal) ?? 'ESRCH',
      drop: (id, index) => children.take(id, index)?.close(),
      run: (launch) => runs.start(launch),
      runOn: (id) => runs.next(id),
    },
    streams: {
      pipe: (stream, id, index) => {
        const pipe = children.take(id, index);
        if (pipe === undefined) throw new Error(`the child ${id} has no pipe ${index} to open`);
        relay(stream, pipe, index);
      },
    },
  };
}

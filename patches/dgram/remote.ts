/** The far half of the dgram patch: sockets of this machine, driven by the near side's. */
import { runDetached } from '../../src/base/context.ts';
import { ElsewhereError } from '../../src/base/errors.ts';
import type { RemoteContext, RemoteHalf } from '../../src/patch.ts';
import type { Bound, DgramCalls, DgramStreams, Failed, SocketType } from './api.ts';
import { FarSocket } from './far-socket.ts';

/** More sockets than this in one session get EMFILE. */
const MAX_SOCKETS = 4096;

export function dgramRemote(context: RemoteContext): RemoteHalf<DgramCalls, DgramStreams> {
  const sockets = new Map<number, FarSocket>();
  let last = 0;
  context.onEnd(() => {
    for (const socket of sockets.values()) socket.close();
  });

  const socketOf = (id: number): FarSocket => {
    const socket = sockets.get(id);
    if (socket !== undefined) return socket;
    throw new ElsewhereError('ERR_ELSEWHERE_BAD_REFERENCE', `there is no datagram socket ${id}`);
  };

  const bind = (type: SocketType, address: string, port: number, flags: number): Bound | Failed => {
    if (sockets.size >= MAX_SOCKETS) return { code: 'EMFILE' };
    const id = ++last;
    const socket = new FarSocket(type, context.policy, () => sockets.delete(id));
    const answer = socket.bind(address, port, flags);
    if ('code' in answer) {
      socket.close();
      return answer;
    }
    sockets.set(id, socket);
    return { id, name: answer };
  };

  return {
    calls: {
      bind: (type, address, port, flags) => runDetached(() => bind(type, address, port, flags)),
      connect: (id, address, port) => socketOf(id).connect(address, port),
      disconnect: (id) => socketOf(id).disconnect(),
      set: (id, setting, args) => socketOf(id).set(setting, args),
      bufferSize: (id, size, receive) => socketOf(id).bufferSize(size, receive),
    },
    streams: { datagrams: (stream, id) => socketOf(id).attach(stream) },
  };
}

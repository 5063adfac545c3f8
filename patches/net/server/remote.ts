/** The far half of the server patch: listens on this machine and gives each connection the next free slot. */
import { runDetached } from '../../../src/base/context.ts';
import { ElsewhereError } from '../../../src/base/errors.ts';
import type { PolicyView, RemoteContext, RemoteHalf } from '../../../src/patch.ts';
import type { Listening, Place, Refused, ServerCalls, ServerStreams } from './api.ts';
import { Port } from './port.ts';

/** More servers than this in one session get EMFILE. */
const MAX_SERVERS = 256;

export function serverRemote(context: RemoteContext): RemoteHalf<ServerCalls, ServerStreams> {
  const ports = new Map<number, Port>();
  let last = 0;
  context.onEnd(() => {
    for (const port of ports.values()) port.close();
  });

  const portOf = (id: number): Port => {
    const port = ports.get(id);
    if (port === undefined)
      throw new ElsewhereError('ERR_ELSEWHERE_BAD_REFERENCE', `there is no server ${id}`);
    return port;
  };

  const listen = (place: Place): Listening | Refused => {
    if (ports.size >= MAX_SERVERS) return { code: 'EMFILE' };
    const denied = refusal(context.policy, place);
    if (denied !== undefined) return denied;
    const id = ++last;
    const port = new Port(() => ports.delete(id));
    const refused = port.listen(place);
    if (refused !== undefined) return refused;
    ports.set(id, port);
    return { id, ...port.address };
  };

  return {
    calls: {
      listen: (place) => runDetached(() => listen(place)),
      publish: (id, readable, writable) => portOf(id).publish(readable, writable),
    },
    streams: {
      hold: (stream, id) => portOf(id).hold(stream),
      slot: (stream, id) => portOf(id).slot(stream),
    },
  };
}

function refusal(
  policy: PolicyView,
  { path, address = '::', port = 0 }: Place,
): Refused | undefined {
  const denied = path === undefined ? policy.listen(address, port) : policy.listenPath(path);
  return denied === undefined ? undefined : { code: 'EACCES', address: path ?? address, denied };
}

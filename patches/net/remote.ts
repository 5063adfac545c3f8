/** The far half of the net patch: dials for the near side, where the policy lets it. */
import net from 'node:net';
import { runDetached } from '../../src/base/context.ts';
import type { PolicyView, RemoteContext, RemoteHalf, RemoteStream } from '../../src/patch.ts';
import type { Dial, NetCalls, NetStreams, Report } from './api.ts';
import { addresses, relay } from './relay.ts';

export function netRemote(context: RemoteContext): RemoteHalf<NetCalls, NetStreams> {
  const open = new Set<net.Socket>();
  context.onEnd(() => {
    for (const socket of open) socket.destroy();
  });
  return {
    calls: {},
    streams: {
      connect: (stream, place) => runDetached(() => dial(stream, place, open, context.policy)),
    },
  };
}

function dial(stream: RemoteStream, place: Dial, open: Set<net.Socket>, policy: PolicyView): void {
  const denied =
    place.path === undefined
      ? policy.connect(place.address ?? '', place.port ?? 0)
      : policy.connectPath(place.path);
  if (denied !== undefined) return refuse(stream, denied);
  const since = performance.now();
  const socket = new net.Socket({ allowHalfOpen: true });
  open.add(socket);
  socket.on('connect', () => {
    const took = performance.now() - since;
    stream.signal({ kind: 'connected', ...addresses(socket), took } satisfies Report);
  });
  socket.on('close', () => open.delete(socket));
  stream.accept(relay(socket, stream));
  // The very address that was allowed: nothing is resolved again.
  socket.connect(target(place));
}

function refuse(stream: RemoteStream, denied: string): void {
  stream.accept({ data: () => undefined, end: () => undefined, closed: () => undefined });
  stream.signal({ kind: 'failed', code: 'EACCES', syscall: 'connect', denied } satisfies Report);
  stream.end();
}

function target(dial: Dial): net.NetConnectOpts {
  if (dial.path !== undefined) return { path: dial.path };
  const { address, port, localAddress, localPort } = dial;
  return {
    host: address ?? '',
    port: port ?? 0,
    autoSelectFamily: false,
    ...(localAddress === undefined ? {} : { localAddress }),
    ...(localPort === undefined ? {} : { localPort }),
  };
}

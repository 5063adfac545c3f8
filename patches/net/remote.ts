/**
 * The far half of the net patch: dials for the near side and relays between the socket and the byte stream, with
 * back-pressure both ways. Works on this machine whatever scope its caller is in.
 */
import net from 'node:net';
import { runDetached } from '../../src/base/context.ts';
import type { RemoteContext, RemoteHalf, RemoteStream } from '../../src/patch.ts';
import type { Address, Command, Dial, NetCalls, NetStreams, Report } from './api.ts';

export function netRemote(context: RemoteContext): RemoteHalf<NetCalls, NetStreams> {
  const open = new Set<net.Socket>();
  context.onEnd(() => {
    for (const socket of open) socket.destroy();
  });
  return {
    calls: {},
    streams: { connect: (stream, dial) => runDetached(() => relay(stream, dial, open)) },
  };
}

function relay(stream: RemoteStream, dial: Dial, open: Set<net.Socket>): void {
  const since = performance.now();
  const socket = new net.Socket({ allowHalfOpen: true });
  const tell = (report: Report): void => stream.signal(report);
  let connected = false;
  open.add(socket);
  stream.accept({
    data: (bytes) => {
      if (!socket.write(bytes)) stream.pause();
    },
    signal: (command) => obey(socket, command as Command, tell),
    drain: () => void socket.resume(),
    end: () => finish(socket),
    closed: () => void socket.destroy(),
  });
  socket.on('connect', () => {
    connected = true;
    tell({ kind: 'connected', ...addresses(socket), took: performance.now() - since });
  });
  socket.on('drain', () => stream.resume());
  socket.on('data', (bytes) => {
    if (!stream.write(bytes)) socket.pause();
  });
  socket.on('end', () => tell({ kind: 'eof' }));
  socket.on('error', (error: NodeJS.ErrnoException) => {
    const { code = 'UNKNOWN', syscall = 'read' } = error;
    tell({ kind: connected ? 'broken' : 'failed', code, syscall });
  });
  socket.on('close', () => {
    open.delete(socket);
    // Writes that wait for a socket that is gone would keep the near side's commands back.
    stream.resume();
    stream.end();
  });
  socket.connect(target(dial));
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

function addresses(socket: net.Socket): { local?: Address; remote?: Address } {
  const { localAddress, localFamily, localPort, remoteAddress, remoteFamily, remotePort } = socket;
  const known: { local?: Address; remote?: Address } = {};
  if (localAddress !== undefined)
    known.local = { address: localAddress, family: localFamily ?? '', port: localPort ?? 0 };
  if (remoteAddress !== undefined)
    known.remote = { address: remoteAddress, family: remoteFamily ?? '', port: remotePort ?? 0 };
  return known;
}

interface NewerSocket {
  setKeepAlive(options: {
    enable: boolean;
    initialDelay: number;
    interval?: number;
    count?: number;
  }): void;
  setTypeOfService?(value: number): void;
}

function obey(socket: net.Socket, command: Command, tell: (report: Report) => void): void {
  switch (command.kind) {
    case 'shutdown':
      socket.end(() => tell({ kind: 'shutdown' }));
      return;
    case 'reset':
      reset(socket);
      return;
    case 'noDelay':
      socket.setNoDelay(command.on);
      return;
    case 'keepAlive':
      return keepAlive(socket, command);
    case 'typeOfService':
      (socket as unknown as NewerSocket).setTypeOfService?.(command.value);
  }
}

/** While a shutdown is under way libuv refuses to reset, and Node then crashes at the next bytes (uv_tcp_close_reset). */
function reset(socket: net.Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}

/** Seconds on the wire, as between Node and its handles. */
function keepAlive(socket: net.Socket, command: Command & { kind: 'keepAlive' }): void {
  const { on, delay, interval, count } = command;
  if (interval === undefined && count === undefined) {
    socket.setKeepAlive(on, delay * 1000);
    return;
  }
  // Node 26 takes an object; older versions would take it for "true".
  const options = {
    enable: on,
    initialDelay: delay * 1000,
    ...(interval === undefined ? {} : { interval: interval * 1000 }),
  };
  (socket as unknown as NewerSocket).setKeepAlive({
    ...options,
    ...(count === undefined ? {} : { count }),
  });
}

/** The near side closed its handle: like the kernel, we still send what was written. */
function finish(socket: net.Socket): void {
  if (socket.connecting) socket.destroy();
  else socket.destroySoon();
}

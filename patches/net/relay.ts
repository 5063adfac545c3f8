/**
 * Between a socket of this machine and a byte stream to the near side, with back-pressure both ways. The same for sockets
 * that were dialled and for those that a server accepted.
 */
import type net from 'node:net';
import { readInto } from '../../src/base/direct-reading.ts';
import { giveBack } from '../../src/base/spare-memory.ts';
import type { ByteStream, StreamHandler } from '../../src/patch.ts';
import type { Address, Command, Report } from './api.ts';
import { localOf } from './errno.ts';
import { FarReading } from './far-reading.ts';

/** What the stream has to tell the socket; from now on the stream hears of the socket's bytes, end and failures. */
export function relay(socket: net.Socket, stream: ByteStream): StreamHandler {
  const tell = (report: Report): void => stream.signal(report);
  let connected = !socket.pending;
  socket.on('connect', () => (connected = true));
  socket.on('drain', () => stream.resume());
  const forward = (bytes: Uint8Array): void => {
    if (!stream.write(bytes)) socket.pause();
  };
  readInto(socket, new FarReading(forward));
  socket.on('data', forward);
  socket.on('end', () => tell({ kind: 'eof' }));
  socket.on('error', (error: NodeJS.ErrnoException) => {
    const { code = 'UNKNOWN', syscall = 'read' } = error;
    if (connected) return tell({ kind: 'broken', code, syscall });
    const local = localOf(error);
    tell({ kind: 'failed', code, syscall, ...(local === undefined ? {} : { local }) });
  });
  socket.on('close', () => {
    // Writes that wait for a socket that is gone would keep the near side's commands back.
    stream.resume();
    stream.end();
  });
  return {
    data: (bytes) => {
      // What comes for a socket that is gone must still be let through: the near side's last words are behind it.
      if (socket.destroyed) return giveBack(bytes);
      const room = socket.write(bytes, () => giveBack(bytes));
      if (!room) stream.pause();
    },
    signal: (command) => obey(socket, command as Command, tell),
    drain: () => void socket.resume(),
    end: () => finish(socket),
    closed: () => void socket.destroy(),
  };
}

export function addresses(socket: net.Socket): { local?: Address; remote?: Address } {
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
  // What the kernel has needs no shutdown of its own before the end.
  if (socket.connecting || socket.writableLength === 0) socket.destroy();
  else socket.destroySoon();
}

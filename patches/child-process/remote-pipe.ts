/** The far end of a child's pipe: bytes between it and the client, each side waiting for the other. */
import nodeNet from 'node:net';
import type { RemoteStream, StreamHandler } from '../../src/patch.ts';
import type { PipeReport } from './api.ts';
import type { NativePipe } from './binding.ts';

/** Options of `net.Socket` that its types leave out: `handle` makes it the owner of an open pipe. */
type PipeOptions = nodeNet.SocketConstructorOpts & { readonly handle: NativePipe };

export function relay(stream: RemoteStream, pipe: NativePipe, index: number): void {
  const options: PipeOptions = {
    handle: pipe,
    // As lib/internal/child_process.js: a child's standard input is only written.
    readable: index > 0,
    writable: true,
    allowHalfOpen: true,
  };
  const socket = new nodeNet.Socket(options);
  const report = (value: PipeReport): void => stream.signal(value);
  stream.accept(handler(stream, socket, report));
  socket.on('data', (bytes: Buffer) => {
    if (!stream.write(bytes)) socket.pause();
  });
  socket.on('end', () => report('eof'));
  socket.on('error', (error: NodeJS.ErrnoException) => report({ broken: error.code ?? 'EPIPE' }));
  socket.on('close', () => stream.end());
}

function handler(
  stream: RemoteStream,
  socket: nodeNet.Socket,
  report: (value: PipeReport) => void,
): StreamHandler {
  return {
    data: (bytes) => {
      if (socket.destroyed || socket.write(bytes)) return;
      stream.pause();
      socket.once('drain', () => stream.resume());
      socket.once('close', () => stream.resume());
    },
    signal: (value) => {
      if (value === 'shutdown') socket.end(() => report('shutdown'));
    },
    end: () => socket.destroySoon(),
    drain: () => socket.resume(),
    closed: () => socket.destroy(),
  };
}

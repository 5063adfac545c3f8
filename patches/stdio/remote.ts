/** The far side's own standard streams, for its clients. */
import type { ReadStream, WriteStream } from 'node:tty';
import { originals } from '../../src/base/originals.ts';
import type { RemoteContext, RemoteHalf, RemoteStream } from '../../src/patch.ts';
import type { OutputFd, StdioCalls, StdioStreams, TerminalInfo } from './api.ts';

/** Several readers would share one input between them by chance: the first one has it until it ends. */
let reader: object | undefined;

export function stdioRemote(context: RemoteContext): RemoteHalf<StdioCalls, StdioStreams> {
  /** Bytes received of each output stream, by its key: what `finish` must not write again. */
  const received = new Map<string, number>();
  return {
    calls: {
      info: () => [
        terminal(originals.process.stdin),
        terminal(originals.process.stdout),
        terminal(originals.process.stderr),
      ],
      raw: (on) => {
        originals.process.stdin.setRawMode(on);
        if (on) context.onEnd(() => originals.process.stdin.setRawMode(false));
      },
      finish: (key, fd, offset, bytes) => {
        const rest = bytes.subarray(Math.max(0, (received.get(key) ?? 0) - offset));
        received.delete(key);
        if (rest.length === 0) return;
        return new Promise<void>((resolve) => output(fd).write(rest, () => resolve()));
      },
    },
    streams: {
      write: (stream, fd, key) =>
        writeStream(stream, output(fd), (total) => received.set(key, total)),
      read: readStream,
      sizes: (stream, fd) => watchSize(stream, output(fd)),
    },
  };
}

function output(fd: OutputFd): WriteStream {
  return fd === 1 ? originals.process.stdout : originals.process.stderr;
}

function terminal(stream: WriteStream | ReadStream): TerminalInfo {
  const { isTTY, columns, rows } = stream as WriteStream;
  return { isTTY: isTTY === true, columns: columns ?? 80, rows: rows ?? 24 };
}

function writeStream(stream: RemoteStream, to: WriteStream, count: (total: number) => void): void {
  let receivedBytes = 0;
  let written = 0;
  stream.accept({
    data: (bytes) => {
      receivedBytes += bytes.length;
      count(receivedBytes);
      const more = to.write(bytes, () => {
        written += bytes.length;
        stream.signal(written);
      });
      if (more) return;
      stream.pause();
      to.once('drain', () => stream.resume());
    },
    end: () => stream.end(),
    closed: () => undefined,
  });
}

function watchSize(stream: RemoteStream, terminal: WriteStream): void {
  const tell = (): void => stream.signal([terminal.columns, terminal.rows]);
  stream.accept({
    data: () => undefined,
    end: () => undefined,
    closed: () => void terminal.off('resize', tell),
  });
  terminal.on('resize', tell);
}

function readStream(stream: RemoteStream): void {
  if (reader !== undefined)
    throw Object.assign(new Error('standard input is being read by another client'), {
      code: 'EBUSY',
    });
  const input = originals.process.stdin;
  const own = {};
  reader = own;
  const data = (chunk: Buffer): void => {
    if (!stream.write(Buffer.from(chunk))) input.pause();
  };
  const end = (): void => stream.end();
  stream.accept({
    data: () => undefined,
    end: () => undefined,
    drain: () => input.resume(),
    closed: () => {
      input.off('data', data);
      input.off('end', end);
      input.pause();
      if (reader === own) reader = undefined;
    },
  });
  input.on('data', data);
  input.on('end', end);
}

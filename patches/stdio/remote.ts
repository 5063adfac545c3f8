/** The far side's own standard streams, for its clients. */
import type { ReadStream, WriteStream } from 'node:tty';
import { originals } from '../../src/base/originals.ts';
import { wireStats } from '../../src/base/wire-stats.ts';
import type { RemoteContext, RemoteHalf, RemoteStream } from '../../src/patch.ts';
import type { OutputFd, StdioCalls, StdioStreams, TerminalInfo } from './api.ts';

/** Several readers would share one input between them by chance: the first one has it until it ends. */
let reader: object | undefined;

export function stdioRemote(context: RemoteContext): RemoteHalf<StdioCalls, StdioStreams> {
  /** Bytes received of each output stream, by its key: what `finish` must not write again. */
  const received = new Map<string, number>();
  /** Streams of which `finish` has written all. */
  const finished = new Set<string>();
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
        if (key !== '') finished.add(key);
        if (rest.length === 0) return;
        return new Promise<void>((resolve) => output(fd).write(rest, () => resolve()));
      },
      take,
      stats,
    },
    streams: {
      write: (stream, fd, key) => {
        received.set(key, 0);
        writeStream(stream, output(fd), {
          count: (total) => received.set(key, total),
          isFinished: () => finished.has(key),
          closed: () => {
            received.delete(key);
            finished.delete(key);
          },
        });
      },
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

interface Account {
  count(total: number): void;
  isFinished(): boolean;
  closed(): void;
}

function writeStream(stream: RemoteStream, to: WriteStream, account: Account): void {
  let receivedBytes = 0;
  let written = 0;
  stream.accept({
    data: (bytes) => {
      if (account.isFinished()) return;
      receivedBytes += bytes.length;
      account.count(receivedBytes);
      const more = to.write(bytes, () => {
        written += bytes.length;
        stream.signal(written);
      });
      if (more) return;
      stream.pause();
      to.once('drain', () => stream.resume());
    },
    end: () => stream.end(),
    closed: () => account.closed(),
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

function claim(): object {
  if (reader !== undefined)
    throw Object.assign(new Error('standard input is being read by another client'), {
      code: 'EBUSY',
    });
  reader = {};
  return reader;
}

async function take(length: number): Promise<Uint8Array> {
  const own = claim();
  const input = originals.process.stdin;
  try {
    while (input.readableLength === 0 && !input.readableEnded && !input.destroyed) {
      // Starts reading, where nobody has yet.
      input.read(0);
      if (input.readableLength === 0) await changed(input);
    }
    const bytes = input.read(Math.min(length, input.readableLength)) as Buffer | null;
    return bytes ?? new Uint8Array(0);
  } finally {
    if (reader === own) reader = undefined;
  }
}

/** Resolves at the next data, or end. */
function changed(input: ReadStream): Promise<void> {
  return new Promise((resolve) => {
    const events = ['readable', 'end', 'close', 'error'];
    const done = (): void => {
      for (const event of events) input.off(event, done);
      resolve();
    };
    for (const event of events) input.on(event, done);
  });
}

function stats(fd: number): BigInt64Array {
  return wireStats(originals.fs.fstatSync(fd, { bigint: true }));
}

function readStream(stream: RemoteStream): void {
  const own = claim();
  const input = originals.process.stdin;
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

/**
 * Standard streams of code that runs on the far side for one caller: a byte stream per descriptor leads to the caller,
 * who may give several sets (one per `redirectStdio`). Other clients' output never gets in.
 */
import { Readable, Writable } from 'node:stream';
import type { ByteStream, Channel, StreamHandler } from '../connection/channel.ts';
import type { StdioStreams } from '../patch.ts';
import { runWithStdio } from '../scope/with-stdio.ts';
import type { FarSession } from '../session/far-session.ts';

/** The serving half. Returns how to run code with the redirection of that id; null runs it as it is. */
export function serveRedirections(
  session: FarSession,
): (id: unknown, fn: () => unknown) => unknown {
  const sets = new Map<number, Redirected>();
  session.methods.addStream('classic.stdio', (stream, [id, fd]) => {
    if (typeof id !== 'number' || (fd !== 0 && fd !== 1 && fd !== 2))
      throw new TypeError('no such standard stream');
    const set = sets.get(id) ?? new Redirected();
    sets.set(id, set);
    stream.accept(set.add(fd, stream, () => sets.delete(id)));
  });
  session.methods.addCall('classic.flush', ([id]) => sets.get(id as number)?.flushed());
  return (id, fn) => {
    const set = typeof id === 'number' ? sets.get(id) : undefined;
    return set === undefined ? fn() : runWithStdio(set.streams, fn);
  };
}

/** One caller's set of streams on the side where the code runs. */
class Redirected {
  readonly streams: StdioStreams = {};
  readonly #pending = new Set<Promise<void>>();

  add(fd: 0 | 1 | 2, stream: ByteStream, over: () => void): StreamHandler {
    if (fd === 0) return this.#input(stream, over);
    const writable = new Writable({
      decodeStrings: true,
      write: (chunk: Buffer, _encoding, done) => this.#write(stream, chunk, done),
    });
    this.streams[fd === 1 ? 'stdout' : 'stderr'] = writable;
    const closed = (): void => {
      writable.destroy();
      over();
    };
    return { data: () => undefined, end: () => stream.end(), closed };
  }

  #input(stream: ByteStream, over: () => void): StreamHandler {
    const readable = new Readable({ read: () => stream.resume() });
    this.streams.stdin = readable as unknown as NodeJS.ReadableStream;
    return {
      data: (bytes) => readable.push(bytes) || stream.pause(),
      end: () => readable.push(null),
      closed: () => {
        readable.destroy();
        over();
      },
    };
  }

  #write(stream: ByteStream, chunk: Buffer, done: (error?: Error) => void): void {
    let settle: () => void = () => undefined;
    const left = new Promise<void>((resolve) => (settle = resolve));
    this.#pending.add(left);
    // A copy: the writer may reuse its memory as soon as it is called back.
    stream.write(Buffer.from(chunk), (error) => {
      this.#pending.delete(left);
      settle();
      done(error);
    });
  }

  /** Resolves when all that was written has left for the caller. */
  async flushed(): Promise<void> {
    while (this.#pending.size > 0) await Promise.all(this.#pending);
  }
}

export interface Redirection {
  readonly id: number;
  /** Resolves when all output made so far has been written here. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

let lastId = 0;

/** The caller's half. */
export function openRedirection(channel: Channel, streams: StdioStreams): Redirection {
  const id = ++lastId;
  const open: ByteStream[] = [];
  const { stdin, stdout, stderr } = streams;
  if (stdout !== undefined) open.push(channel.open('classic.stdio', [id, 1], output(stdout)));
  if (stderr !== undefined) open.push(channel.open('classic.stdio', [id, 2], output(stderr)));
  const unfeed =
    stdin === undefined
      ? undefined
      : feed(stdin, (handler) => channel.open('classic.stdio', [id, 0], handler));
  return {
    id,
    flush: () => new Promise((resolve) => channel.request('classic.flush', [id], () => resolve())),
    close: async () => {
      for (const stream of open) stream.reset('closed');
      unfeed?.();
    },
  };
}

function output(to: NodeJS.WritableStream): StreamHandler {
  return { data: (bytes) => void to.write(bytes), end: () => undefined, closed: () => undefined };
}

/** Reads here only as far as the far side takes it. Returns how to stop. */
function feed(
  from: NodeJS.ReadableStream,
  open: (handler: StreamHandler) => ByteStream,
): () => void {
  const stream = open({
    data: () => undefined,
    end: () => undefined,
    closed: () => undefined,
    drain: () => from.resume(),
  });
  const data = (chunk: Buffer | string): void => {
    if (!stream.write(typeof chunk === 'string' ? Buffer.from(chunk) : chunk)) from.pause();
  };
  const end = (): void => stream.end();
  from.on('data', data);
  from.on('end', end);
  return () => {
    from.off('data', data);
    from.off('end', end);
    from.pause();
    stream.reset('closed');
  };
}

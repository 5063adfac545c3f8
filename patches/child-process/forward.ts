/** What a far child inherits of this side: bytes flow between its pipe and a stream here as long as it lives. */
import type { Readable, Writable } from 'node:stream';
import type { ByteStream } from '../../src/patch.ts';
import type { ChildTarget } from './api.ts';

export interface Forwarding {
  /** Calls back once nothing more can come. */
  onceDrained(done: () => void): void;
  childEnded(): void;
}

export function forwardOutput(
  target: ChildTarget,
  child: number,
  index: number,
  to: Writable,
): Forwarding {
  let drained = false;
  let done: () => void = () => undefined;
  const finish = (): void => {
    drained = true;
    done();
  };
  const stream: ByteStream = target.open('pipe', [child, index], {
    data: (bytes) => {
      if (to.destroyed || to.write(bytes)) return;
      stream.pause();
      to.once('drain', () => stream.resume());
    },
    signal: (report) => {
      if (report !== 'eof') return;
      finish();
      stream.end();
    },
    end: finish,
    closed: finish,
  });
  return {
    onceDrained: (listener) => {
      done = listener;
      if (drained) listener();
    },
    childEnded: () => undefined,
  };
}

/** What is read here is gone from the input, whether the child reads it or not. */
export function forwardInput(
  target: ChildTarget,
  child: number,
  index: number,
  from: Readable,
): Forwarding {
  const stream: ByteStream = target.open('pipe', [child, index], {
    data: () => undefined,
    end: () => undefined,
    signal: (report) => {
      if (report !== 'shutdown') stop();
    },
    drain: () => from.resume(),
    closed: () => stop(),
  });
  const data = (chunk: Buffer | string): void => {
    if (!stream.write(Buffer.from(chunk as Buffer))) from.pause();
  };
  const end = (): void => stream.signal('shutdown');
  let stopped = false;
  function stop(): void {
    if (stopped) return;
    stopped = true;
    from.off('data', data);
    from.off('end', end);
    from.pause();
    stream.end();
  }
  if (from.readableEnded || from.destroyed) end();
  from.on('data', data);
  from.on('end', end);
  return { onceDrained: (done) => done(), childEnded: stop };
}

/** Streams that were handed over: real streams of Node here, fed from or feeding the one on the other side. */
import { Readable, Writable } from 'node:stream';
import { Operation } from './operation.ts';
import type { Place } from './reference.ts';

export const OBJECTS = 'objects';

/** The label of a stream's place says what its chunks are. */
function modeOf({ label }: Place): { objectMode?: boolean } {
  return label === OBJECTS ? { objectMode: true } : {};
}

/** Reads ahead as an iteration does, and not further. */
export function readableAt(place: Place): Readable {
  const iterator = place.caller.iterate(place);
  const readable = new Readable({
    ...modeOf(place),
    read() {
      iterator.next().then(
        ({ done, value }) => this.push(done === true ? null : value),
        (error: Error) => this.destroy(error),
      );
    },
    destroy(error, done) {
      iterator.return?.(undefined).catch(() => undefined);
      place.caller.letGo(place);
      done(error);
    },
  });
  return readable;
}

/** The other stream's own callback lets the next chunk go. */
export function writableAt(place: Place): Writable {
  const ask = (name: string, args: readonly unknown[], done: (error?: Error | null) => void) =>
    place.caller
      .perform({ ...place, path: [name] }, Operation.CALL, args)
      .promise.then(() => done(), done);
  return new Writable({
    ...modeOf(place),
    write(chunk, encoding, done) {
      void ask('write', typeof chunk === 'string' ? [chunk, encoding] : [chunk], done);
    },
    final(done) {
      void ask('end', [], done);
    },
    destroy(error, done) {
      void ask('destroy', error === null ? [] : [error], () => place.caller.letGo(place));
      done(error);
    },
  });
}

/** What stands for a writable among our exports: each call is over when the stream has taken the chunk. */
export class WritableEnd {
  static readonly exposed = ['write', 'end', 'destroy'] as const;
  readonly #stream: Writable;

  constructor(stream: Writable) {
    this.#stream = stream;
    // Whoever writes is told; nobody else may be there to listen.
    stream.on('error', () => undefined);
  }

  write(chunk: unknown, encoding?: unknown): Promise<void> {
    return new Promise((resolve, reject) => {
      const data = chunk as Buffer;
      const done = (error: Error | null | undefined): void => (error ? reject(error) : resolve());
      if (typeof encoding === 'string' && Buffer.isEncoding(encoding))
        this.#stream.write(data, encoding, done);
      else this.#stream.write(data, done);
    });
  }

  end(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#stream.once('error', reject);
      this.#stream.end(() => resolve());
    });
  }

  destroy(error?: unknown): void {
    this.#stream.destroy(error instanceof Error ? error : undefined);
  }
}

/** What the numbers 0, 1 and 2 are in a scope: its standard streams, for the functions of `fs`. */
import type { Readable, Writable } from 'node:stream';
import type { StandardFile } from '../../src/base/far-handles.ts';
import type { Target } from '../../src/patch.ts';
import type { StdioCalls, StdioStreams } from './api.ts';
import { RemoteInput, tryAgain } from './input.ts';
import { RemoteOutput } from './output.ts';
import { Tee } from './tee.ts';

type StdioTarget = Target<StdioCalls, StdioStreams>;
type ReadDone = Parameters<StandardFile['read']>[1];

const known = new WeakMap<object, StandardFile>();

/** `target`: where the far side's own streams are. */
export function standardOf(
  stream: unknown,
  descriptor: number,
  { target }: { target(): StdioTarget | undefined },
): StandardFile {
  const key = stream as object;
  const file = known.get(key) ?? make(key, descriptor, target());
  known.set(key, file);
  return file;
}

function make(stream: object, descriptor: number, target: StdioTarget | undefined): StandardFile {
  const output = stream as Writable;
  const isFar = stream instanceof RemoteInput || stream instanceof RemoteOutput;
  return {
    writeSync: (bytes) => {
      if (stream instanceof RemoteOutput || stream instanceof Tee) stream.writeNow(bytes as Buffer);
      else output.write(bytes);
    },
    write: (bytes, done) => void output.write(bytes, done),
    readSync: (length) => {
      if (stream instanceof RemoteInput) return stream.takeNow(length);
      const bytes = takeHeld(stream as Readable, length);
      // Its next bytes are made by the very event loop that would wait.
      if (bytes === undefined) throw tryAgain();
      return bytes;
    },
    read: (length, done) => {
      if (stream instanceof RemoteInput) stream.takeSoon(length, done);
      else takeNext(stream as Readable, length, done);
    },
    stats: () => (isFar && target !== undefined ? target.callSync('stats', descriptor) : PIPE),
    hold: () => target?.hold(),
    release: () => target?.release(),
  };
}

/** Undefined if nothing is there yet. */
function takeHeld(stream: Readable, length: number): Uint8Array | undefined {
  if (stream.readableLength > 0) {
    const chunk: unknown = stream.read(Math.min(length, stream.readableLength));
    return typeof chunk === 'string' ? Buffer.from(chunk) : (chunk as Uint8Array);
  }
  return stream.readableEnded || stream.destroyed ? new Uint8Array(0) : undefined;
}

function takeNext(stream: Readable, length: number, done: ReadDone): void {
  const bytes = takeHeld(stream, length);
  if (bytes !== undefined) return process.nextTick(done, null, bytes);
  const events = ['readable', 'end', 'close'];
  const again = (): void => {
    for (const event of events) stream.off(event, again);
    takeNext(stream, length, done);
  };
  for (const event of events) stream.on(event, again);
}

const S_IFIFO = 0o010000n;
/** What fstat says of a pipe that only this program knows. */
const PIPE: BigInt64Array = new BigInt64Array(18);
PIPE[1] = S_IFIFO | 0o600n;
PIPE[2] = 1n;
PIPE[6] = 4096n;

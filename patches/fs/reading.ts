/** Reading from a far file: as much as one system call would give. */
import { MAX_PIECE, SMALL } from './api.ts';
import type { FarFile } from './descriptors.ts';
import { Piece, type Reader } from './reader.ts';
import { arrival, ask, type Work } from './work.ts';

/** Reads up to this size are answered from a larger piece. */
const SMALL_READ = SMALL / 4;

/** `later` is true when the call need not block: then other calls may be on their way. Position -1 is the current one. */
export function* readBytes(
  file: FarFile,
  into: Uint8Array,
  position: number | bigint,
  later: boolean,
): Work<number> {
  const { reader } = file;
  if (reader === undefined) return yield* readPlainly(file, into, position);
  if (position >= 0) return yield* readAt(file, reader, into, Number(position), later);
  const from = reader.position;
  // Moved at once, as other reads may come before this one is answered.
  reader.position += into.length;
  let count = 0;
  try {
    count = yield* readAt(file, reader, into, from, later);
  } finally {
    reader.position -= into.length - count;
  }
  return count;
}

/** Until `into` is full, or less comes than was asked for. */
function* readPlainly(file: FarFile, into: Uint8Array, position: number | bigint): Work<number> {
  let done = 0;
  while (done < into.length) {
    const asked = Math.min(into.length - done, MAX_PIECE);
    const bytes = yield* ask('read', file.id, asked, moved(position, done));
    into.set(bytes, done);
    done += bytes.length;
    if (bytes.length < asked) break;
  }
  return done;
}

export function moved(position: number | bigint, by: number): number | bigint {
  if (position < 0) return -1;
  return typeof position === 'bigint' ? position + BigInt(by) : position + by;
}

function* readAt(
  file: FarFile,
  reader: Reader,
  into: Uint8Array,
  from: number,
  later: boolean,
): Work<number> {
  const early = reader.ahead.fresh() ? reader.ahead.read(into.length, from) : undefined;
  if (early !== undefined) {
    into.set(early);
    return early.length;
  }
  reader.note(from, into.length);
  if (reader.inRow && later && into.length > SMALL_READ)
    return yield* readForeseen(file, reader, into, from);
  const kept = take(reader, into, from);
  if (kept > 0) return kept === into.length ? kept : yield* rest(file, reader, into, from, kept);
  return yield* rest(file, reader, into, from, 0);
}

/** Small reads in a row: one larger answer serves many. */
function* rest(
  file: FarFile,
  reader: Reader,
  into: Uint8Array,
  from: number,
  done: number,
): Work<number> {
  const left = into.subarray(done);
  if (!reader.inRow || left.length > SMALL_READ)
    return done + (yield* readPlainly(file, left, from + done));
  const piece = new Piece(from + done, SMALL);
  piece.settle(undefined, yield* ask('read', file.id, SMALL, piece.start));
  reader.keep(piece);
  return done + take(reader, left, piece.start);
}

/** What is here already. */
function take(reader: Reader, into: Uint8Array, from: number): number {
  const piece = reader.pieceAt(from);
  if (piece?.bytes === undefined) return 0;
  const bytes = piece.bytes.subarray(from - piece.start, from - piece.start + into.length);
  into.set(bytes);
  return bytes.length;
}

function* readForeseen(
  file: FarFile,
  reader: Reader,
  into: Uint8Array,
  from: number,
): Work<number> {
  let done = 0;
  while (done < into.length) {
    reader.foresee(from + done, into.length);
    const piece = reader.pieceAt(from + done);
    if (piece === undefined) break;
    if (!piece.arrived) yield* arrival(piece);
    if (piece.error !== undefined) {
      reader.forget();
      break;
    }
    done += take(reader, into.subarray(done), from + done);
    // A short piece was the end of the file when it was read.
    if (piece.end < piece.start + piece.length && from + done >= piece.end) {
      reader.forget();
      if (done > 0) return done;
      break;
    }
  }
  if (done === into.length) {
    reader.foresee(from + done, into.length);
    return done;
  }
  return done + (yield* readPlainly(file, into.subarray(done), from + done));
}

/**
 * A far regular file that is only read. Its position is kept here, so that every read says where; small reads in a row
 * are answered from a larger piece, and reads in a row that need not block are asked for ahead of the program.
 */
import { giveBack } from '../../src/base/spare-memory.ts';
import type { FsTarget } from './api.ts';
import { changesOf, type OpenAhead } from './open-ahead.ts';
import type { Arrival } from './work.ts';

/** Asked for at once. */
const PIECE = 256 * 1024;
/** Pieces on their way, or waiting here. */
const DEPTH = 8;
/** Reads in a row after which the next ones are foreseen. */
const ROW = 2;
/** What waited longer is asked for again, in milliseconds: someone else may have changed the file. */
const STALE = 1000;

export class Piece implements Arrival {
  readonly start: number;
  readonly length: number;
  bytes: Uint8Array | undefined;
  error: unknown;
  #since = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(start: number, length: number) {
    this.start = start;
    this.length = length;
  }

  get end(): number {
    return this.start + (this.bytes?.length ?? this.length);
  }

  get arrived(): boolean {
    return this.bytes !== undefined || this.error !== undefined;
  }

  get stale(): boolean {
    return this.arrived && performance.now() - this.#since > STALE;
  }

  settle(error: unknown, bytes: Uint8Array | undefined): void {
    this.error = error ?? undefined;
    this.bytes = bytes;
    this.#since = performance.now();
    for (const resume of this.#waiting.splice(0)) resume();
  }

  onArrival(resume: () => void): void {
    this.#waiting.push(resume);
  }
}

export class Reader {
  position = 0;
  readonly ahead: OpenAhead;
  readonly #target: FsTarget;
  readonly #id: number;
  /** What the file had when it was opened. */
  readonly size: number;
  #pieces: Piece[] = [];
  #changes = 0;
  /** Where the last read ended, and how many began where the one before ended. */
  #next = 0;
  #row = 0;

  constructor(target: FsTarget, id: number, ahead: OpenAhead) {
    this.#target = target;
    this.#id = id;
    this.ahead = ahead;
    this.size = Number(ahead.stats[8]);
  }

  /** Notes a read before it is carried out; what was foreseen wrongly is dropped. */
  note(from: number, length: number): void {
    this.#row = from === this.#next ? this.#row + 1 : 0;
    this.#next = from + length;
    const first = this.#pieces[0];
    const gone = first !== undefined && (from < first.start || first.stale);
    if (this.#row === 0 || gone || this.#changes !== changesOf(this.#target)) this.#pieces = [];
    this.#changes = changesOf(this.#target);
  }

  get inRow(): boolean {
    return this.#row >= ROW;
  }

  /** The piece that holds this place; those before it are no longer needed. */
  pieceAt(from: number): Piece | undefined {
    while (this.#pieces[0] !== undefined && this.#pieces[0].end <= from) this.#drop();
    const first = this.#pieces[0];
    return first !== undefined && first.start <= from ? first : undefined;
  }

  /** Lets go of the first piece; what was read from it has been copied. */
  #drop(): void {
    const bytes = this.#pieces.shift()?.bytes;
    if (bytes !== undefined) giveBack(bytes);
  }

  keep(piece: Piece): void {
    this.#pieces = [piece];
  }

  forget(): void {
    this.#pieces = [];
  }

  /** Asks for what will be read after `from`, up to the size that the file had. */
  foresee(from: number, length: number): void {
    const size = Math.max(PIECE, length);
    let start = Math.max(from, this.#pieces.at(-1)?.end ?? 0);
    const depth = Math.min(DEPTH, this.#row);
    while (this.#pieces.length < depth && start < this.size) {
      const piece = new Piece(start, size);
      this.#pieces.push(piece);
      start += size;
      try {
        this.#target.send('read', [this.#id, size, piece.start], (error, bytes) =>
          piece.settle(error, bytes),
        );
      } catch (error) {
        // The program's own read will meet the same.
        piece.settle(error, undefined);
      }
    }
  }
}

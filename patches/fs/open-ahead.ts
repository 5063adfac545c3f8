/**
 * What the far side sends along when a small file is opened for reading: its stats and its whole content. Reading a
 * file then takes one round trip instead of four. Used only while nobody can tell the difference: for calls made in the
 * same turns as the opening, with no change of ours in between.
 */
import type { FsTarget, WireStats } from './api.ts';

const changes = new WeakMap<object, number>();

/** Something was sent that may change files: what was read ahead before is no longer true. */
export function noteChange(target: FsTarget): void {
  changes.set(target.connection, changesOf(target) + 1);
}

export function changesOf(target: FsTarget): number {
  return changes.get(target.connection) ?? 0;
}

export class OpenAhead {
  readonly stats: WireStats;
  /** The whole content; undefined for a larger file. */
  readonly #bytes: Uint8Array | undefined;
  readonly #target: FsTarget;
  readonly #changes: number;
  #used = true;
  #expired = false;

  /** `changes` is the count when the opening was sent. */
  constructor(target: FsTarget, stats: WireStats, bytes: Uint8Array | undefined, changes: number) {
    this.#target = target;
    this.stats = stats;
    this.#bytes = bytes;
    this.#changes = changes;
    this.#watch();
  }

  /** True if the call that is being made may be answered from here. */
  fresh(): boolean {
    this.#used = true;
    return !this.#expired && changesOf(this.#target) === this.#changes;
  }

  /** The bytes at `from`. Undefined if only the stats came along. */
  read(length: number, from: number): Uint8Array | undefined {
    return this.#bytes?.subarray(from, from + length);
  }

  /** Expires at the end of a turn of the event loop in which it was not used. */
  #watch(): void {
    setImmediate(() => {
      if (!this.#used) {
        this.#expired = true;
        return;
      }
      this.#used = false;
      this.#watch();
    }).unref();
  }
}

/** Virtual descriptors: numbers that no local file has, each leading to a descriptor of the far side. */
import type { Target } from '../../src/patch.ts';
import type { FsApi, Opened } from './api.ts';

export type FsTarget = Target<FsApi>;

/** Above any real descriptor, below node:vfs (0x40000000). */
export const VIRTUAL = 0x2000_0000;
/** What `open` read ahead is not believed any longer than this, in ms. */
const AHEAD_LIFE = 200;

/** An open file of the far side. */
export class Descriptor {
  readonly target: FsTarget;
  readonly fd: number;
  /** Opened only to read: closing it cannot fail. */
  readonly readOnly: boolean;
  #ahead: Opened['ahead'];
  #used = 0;
  readonly #opened = performance.now();
  readonly #changes: number;

  constructor(target: FsTarget, opened: Opened, readOnly: boolean) {
    this.target = target;
    this.fd = opened.fd;
    this.readOnly = readOnly;
    this.#ahead = opened.ahead;
    this.#changes = changesOf(target.connection);
  }

  #fresh(): Opened['ahead'] {
    if (this.#ahead === undefined) return undefined;
    if (
      this.#changes === changesOf(this.target.connection) &&
      performance.now() - this.#opened < AHEAD_LIFE
    )
      return this.#ahead;
    return undefined;
  }

  /** The stat that came with `open`. */
  get stat(): Uint8Array | undefined {
    return this.#fresh()?.stat;
  }

  /** The next bytes at the current position, if they came with `open`; empty at the end of the file, told once. */
  readAhead(length: number): Uint8Array | undefined {
    const ahead = this.#fresh();
    if (ahead === undefined) return undefined;
    const bytes = ahead.bytes.subarray(this.#used, this.#used + length);
    if (bytes.length === 0 && !(ahead.end && length > 0)) return undefined;
    this.#used += bytes.length;
    // A file may grow: the end is only believed the first time.
    if (bytes.length === 0) this.#end();
    return bytes;
  }

  #end(): void {
    this.#ahead = undefined;
  }

  /** Bytes served from what came ahead: the far descriptor must pass them before its next read. Told once. */
  takeSkip(): number {
    const used = this.#used;
    this.#used = 0;
    this.#ahead = undefined;
    return used;
  }
}

const table: (Descriptor | undefined)[] = [];
const free: number[] = [];

/** Gives an open file its number. */
export function addDescriptor(descriptor: Descriptor): number {
  const slot = free.pop() ?? table.length;
  table[slot] = descriptor;
  return VIRTUAL + slot;
}

export function isVirtual(fd: unknown): fd is number {
  return typeof fd === 'number' && fd >= VIRTUAL;
}

export function findDescriptor(fd: number): Descriptor | undefined {
  return table[fd - VIRTUAL];
}

export function removeDescriptor(fd: number): void {
  if (table[fd - VIRTUAL] === undefined) return;
  table[fd - VIRTUAL] = undefined;
  free.push(fd - VIRTUAL);
}

/** Counts what this process has changed on a far side: anything read ahead before a change is stale. */
const changes = new WeakMap<object, number>();

export function noteChange(connection: object): void {
  changes.set(connection, changesOf(connection) + 1);
}

function changesOf(connection: object): number {
  return changes.get(connection) ?? 0;
}

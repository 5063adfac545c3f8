/** What the other side holds of ours: slots with a generation, so that the id of one that is gone never names another. */
import { ElsewhereError } from '../base/errors.ts';
import type { Access } from './access.ts';

export interface Export {
  readonly id: number;
  readonly target: object;
  access: Access;
  /** How often it was sent and not given back. */
  count: number;
  /** Runs when the other side has let go of it. */
  freed?: () => void;
}

const SLOTS = 65_536;
const GENERATIONS = 2 ** 31;

export class Exports {
  readonly #entries: (Export | undefined)[] = [];
  readonly #generations: number[] = [];
  readonly #free: number[] = [];
  readonly #ids = new Map<object, Export>();

  get size(): number {
    return this.#ids.size;
  }

  /** The entry of this object, a new one if it has none. Throws ERR_ELSEWHERE_LIMIT. */
  add(target: object, access: Access): Export {
    const known = this.#ids.get(target);
    if (known !== undefined) {
      if (access === 'open') known.access = 'open';
      return known;
    }
    const slot = this.#free.pop() ?? this.#entries.length;
    if (slot >= SLOTS) throw full();
    const generation = this.#generations[slot] ?? 0;
    const entry: Export = { id: generation * SLOTS + slot, target, access, count: 0 };
    this.#entries[slot] = entry;
    this.#ids.set(target, entry);
    return entry;
  }

  /** Throws ERR_ELSEWHERE_BAD_REFERENCE. */
  get(id: unknown): Export {
    const entry = typeof id === 'number' ? this.#entries[id % SLOTS] : undefined;
    if (entry === undefined || entry.id !== id) throw gone();
    return entry;
  }

  find(id: number): Export | undefined {
    const entry = this.#entries[id % SLOTS];
    return entry?.id === id ? entry : undefined;
  }

  /** The other side has given back `count` of the times that it was sent; too many count as all. */
  release(id: number, count: number): void {
    const entry = this.#entries[id % SLOTS];
    if (entry === undefined || entry.id !== id || !Number.isSafeInteger(count) || count < 1) return;
    entry.count -= count;
    if (entry.count <= 0) this.#drop(entry);
  }

  /** Takes out an entry that was never sent. */
  dropUnsent(id: number): void {
    const entry = this.#entries[id % SLOTS];
    if (entry?.id === id && entry.count === 0) this.#drop(entry);
  }

  #drop(entry: Export): void {
    const slot = entry.id % SLOTS;
    this.#entries[slot] = undefined;
    this.#ids.delete(entry.target);
    const generation = (this.#generations[slot] ?? 0) + 1;
    this.#generations[slot] = generation;
    // A slot whose numbers are used up is never used again.
    if (generation < GENERATIONS) this.#free.push(slot);
    entry.freed?.();
  }

  clear(): void {
    for (const entry of [...this.#ids.values()]) this.#drop(entry);
  }
}

function gone(): ElsewhereError {
  return new ElsewhereError(
    'ERR_ELSEWHERE_BAD_REFERENCE',
    'the reference leads nowhere: it was released, or belongs to another session; get a new one',
  );
}

function full(): ElsewhereError {
  return new ElsewhereError(
    'ERR_ELSEWHERE_LIMIT',
    `the other side holds ${SLOTS} references already: release what is not needed any more`,
  );
}

/** What we hold of the other side: one proxy per object while it is in use here, given back when it no longer is. */

interface Import {
  held: WeakRef<object>;
  /** How often it has arrived. */
  count: number;
}

export class Imports {
  readonly #held = new Map<number, Import>();
  readonly #release: (id: number, count: number) => void;
  readonly #registry = new FinalizationRegistry<number>((id) => this.#collected(id));

  /** `release` gives back what is not used here any more. */
  constructor(release: (id: number, count: number) => void) {
    this.#release = release;
  }

  get size(): number {
    return this.#held.size;
  }

  /** The object that stands for `id` here: the known one, or what `make` gives. Counts one arrival. */
  receive(id: number, make: () => object): object {
    const known = this.#held.get(id);
    const alive = known?.held.deref();
    if (known !== undefined && alive !== undefined) {
      known.count++;
      return alive;
    }
    const made = make();
    this.#held.set(id, { held: new WeakRef(made), count: (known?.count ?? 0) + 1 });
    this.#registry.register(made, id);
    return made;
  }

  has(id: number): boolean {
    return this.#held.has(id);
  }

  get(id: number): object | undefined {
    return this.#held.get(id)?.held.deref();
  }

  /** Gives it back now. */
  drop(id: number): void {
    const entry = this.#held.get(id);
    if (entry === undefined) return;
    this.#held.delete(id);
    this.#release(id, entry.count);
  }

  #collected(id: number): void {
    // Another arrival may have made a new one meanwhile.
    if (this.#held.get(id)?.held.deref() === undefined) this.drop(id);
  }

  clear(): void {
    this.#held.clear();
  }
}

/** An iteration that the other side drives: as many items at once as it asks for, or as are there. */

/** More than this many bytes go in the next answer. */
const MAX_BYTES = 262_144;
const MAX_ITEMS = 4096;

type Step = IteratorResult<unknown> | Promise<IteratorResult<unknown>>;

/** [items, done] */
export type Batch = readonly [items: unknown[], done: boolean];

export class Cursor {
  readonly #iterator: Iterator<unknown> | AsyncIterator<unknown>;
  /** Asked for and not there in time for the answer before. */
  #waiting: Promise<IteratorResult<unknown>> | undefined;
  #over = false;

  constructor(iterable: unknown) {
    this.#iterator = iteratorOf(iterable);
  }

  /** Up to `count` items, at least one unless it is done; does not wait for more than the first. */
  async next(count: unknown): Promise<Batch> {
    const limit = typeof count === 'number' && count >= 1 ? Math.min(count, MAX_ITEMS) : 1;
    const items: unknown[] = [];
    let bytes = 0;
    while (items.length < limit && bytes < MAX_BYTES && !this.#over) {
      const step = this.#waiting ?? this.#step();
      this.#waiting = undefined;
      const result = step instanceof Promise ? await this.#wait(step, items.length > 0) : step;
      if (result === undefined) break;
      if (result.done === true) {
        this.#over = true;
        break;
      }
      items.push(result.value);
      bytes += sizeOf(result.value);
    }
    return [items, this.#over];
  }

  #step(): Step {
    try {
      return this.#iterator.next();
    } catch (error) {
      this.#over = true;
      throw error;
    }
  }

  /** With something to deliver already, one turn of the event loop is all that is given to the next item. */
  async #wait(
    step: Promise<IteratorResult<unknown>>,
    impatient: boolean,
  ): Promise<IteratorResult<unknown> | undefined> {
    if (!impatient) return step;
    const late = new Promise<undefined>((resolve) => setImmediate(resolve, undefined));
    const result = await Promise.race([step, late]);
    if (result !== undefined) return result;
    this.#waiting = step;
    // Told when it is asked for again.
    step.catch(() => undefined);
    return undefined;
  }

  /** As a `break` in a loop does. */
  async finish(): Promise<void> {
    if (this.#over) return;
    this.#over = true;
    await this.#iterator.return?.();
  }
}

function iteratorOf(value: unknown): Iterator<unknown> | AsyncIterator<unknown> {
  const iterable = Object(value) as Partial<AsyncIterable<unknown> & Iterable<unknown>>;
  const iterator = iterable[Symbol.asyncIterator]?.() ?? iterable[Symbol.iterator]?.();
  if (iterator === undefined) throw new TypeError('the value on the far side is not iterable');
  return iterator;
}

function sizeOf(value: unknown): number {
  if (typeof value === 'string') return value.length;
  return value instanceof Uint8Array ? value.length : 16;
}

/** The receiving end of an iteration: asks for more while the consumer works, and for larger pieces the faster it is. */
import { Operation } from './operation.ts';
import type { Caller, Place } from './reference.ts';

const FIRST = 16;
const LARGEST = 1024;

type Answer = readonly [items: unknown[], done: boolean];

/** `cursorAt` gives the place of a cursor's id. */
export async function* iterate(
  caller: Caller,
  place: Place,
  cursorAt: (id: number) => Place,
): AsyncGenerator<unknown> {
  const begun = await caller.perform(place, Operation.ITERATE, [FIRST]).promise;
  const [id, first, over] = begun as readonly [number, unknown[], boolean];
  const cursor = cursorAt(id);
  let items = first;
  let done = over;
  let size = FIRST;
  let ahead: Promise<Answer> | undefined;
  try {
    for (;;) {
      if (!done) {
        size = Math.min(size * 2, LARGEST);
        ahead = caller.perform(cursor, Operation.NEXT, [size]).promise as Promise<Answer>;
        // Its failure is told when its turn comes.
        ahead.catch(() => undefined);
      }
      yield* items;
      if (ahead === undefined) return;
      [items, done] = await ahead;
      ahead = undefined;
    }
  } finally {
    // Ends the iteration over there, if it is not over.
    caller.letGo(cursor);
  }
}

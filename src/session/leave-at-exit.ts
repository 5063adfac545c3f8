/** Sessions that are not over say good-bye when the process ends. */

import { lastWords } from '../base/last-words.ts';

export interface Leaving {
  farewell(): void;
}

/** One listener for all: each of its own would be counted as a leak. */
const open = new Set<Leaving>();

let watching = false;

export function leaveAtExit(session: Leaving): void {
  open.add(session);
  if (watching) return;
  watching = true;
  const farewell = (): void => {
    for (const each of open) each.farewell();
  };
  process.once('exit', farewell);
  lastWords.add(farewell);
}

/** The session is over. */
export function stayAtExit(session: Leaving): void {
  open.delete(session);
}

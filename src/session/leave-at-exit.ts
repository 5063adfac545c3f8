/** Sessions that are not over say good-bye when the process ends. */

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
  process.once('exit', () => {
    for (const each of open) each.farewell();
  });
}

/** The session is over. */
export function stayAtExit(session: Leaving): void {
  open.delete(session);
}

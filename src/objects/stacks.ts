/** Errors of the other side: where it was asked, and where it failed there. */

export interface CallSite {
  readonly stack?: string;
}

const FRAMES = 6;
/** To remember where a call was made takes longer than all else that it does here, so only so many have it in a second. */
const SITES = 250;
let left = SITES;

/** Remembers where the program made a call. Formatted only if it fails; undefined when too many were made lately. */
export function callSite(above: (...args: never[]) => unknown): CallSite | undefined {
  if (left === 0) return undefined;
  left--;
  if (left === 0) setTimeout(() => (left = SITES), 1000).unref();
  const site: CallSite = {};
  const before = Error.stackTraceLimit;
  Error.stackTraceLimit = FRAMES;
  Error.captureStackTrace(site, above);
  Error.stackTraceLimit = before;
  return site;
}

/**
 * `reject`s with the error once it has a message, local frames, then those of the far side. Where no site is known the
 * local frames are those of the functions that await it, which shows a few microtasks later: `resolve` then has a promise.
 */
export function failAt(
  site: CallSite | undefined,
  error: unknown,
  description: string,
  resolve: (failing: Promise<never>) => void,
  reject: (error: unknown) => void,
): void {
  if (!(error instanceof Error)) return reject(error);
  if (site !== undefined) {
    joinStacks(error, frames(site.stack ?? ''), description);
    return reject(error);
  }
  const turns = Promise.resolve().then(pass).then(pass);
  resolve(
    turns.then((): never => {
      const waiting: CallSite = {};
      Error.captureStackTrace(waiting);
      joinStacks(error, withoutFirst(frames(waiting.stack ?? '')), description);
      throw error;
    }),
  );
}

function pass(): void {
  // A turn of the queue.
}

/** The first frame is our own, which looks. */
function withoutFirst(stack: string): string {
  return stack.split('\n').slice(1).join('\n');
}

function joinStacks(error: Error, here: string, description: string): void {
  if (here === '') return;
  const heading = `${error.name}: ${error.message}`;
  const there = frames(error.stack ?? '');
  const stack =
    there === ''
      ? `${heading}\n${here}`
      : `${heading}\n${here}\n    --- far side, ${description} ---\n${there}`;
  Object.defineProperty(error, 'stack', {
    value: stack,
    enumerable: false,
    writable: true,
    configurable: true,
  });
}

function frames(stack: string): string {
  const at = /^ {4}at /m.exec(stack)?.index;
  return at === undefined ? '' : stack.slice(at);
}

/** Errors of the other side: where it was asked, and where it failed there. */

export interface CallSite {
  readonly stack?: string;
}

const FRAMES = 6;

/** Remembers where the program made a call. Formatted only if it fails. */
export function callSite(above: (...args: never[]) => unknown): CallSite {
  const site: CallSite = {};
  const before = Error.stackTraceLimit;
  Error.stackTraceLimit = FRAMES;
  Error.captureStackTrace(site, above);
  Error.stackTraceLimit = before;
  return site;
}

/** Message, local frames, then those of the far side. */
export function joinStacks(error: unknown, site: CallSite, description: string): void {
  if (!(error instanceof Error)) return;
  const remote = error.stack ?? '';
  const heading = `${error.name}: ${error.message}`;
  const there = frames(remote);
  const here = frames(site.stack ?? '');
  if (here === '') return;
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

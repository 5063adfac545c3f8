/** How a lost link is dialled again: how long to wait between attempts, and when another attempt is of no use. */
import { pause } from '../base/pause.ts';

/** What no other attempt would change. CLOSED is the agent's word that it no longer holds the session. */
const FINAL: ReadonlySet<string> = new Set([
  'ERR_ELSEWHERE_AUTH',
  'ERR_ELSEWHERE_CLOSED',
  'ERR_ELSEWHERE_PROTOCOL',
  'ERR_ELSEWHERE_SYNC_DEADLOCK',
  'ERR_ELSEWHERE_VERSION',
]);

export function isFinal(error: unknown): boolean {
  return FINAL.has(String((error as { code?: unknown } | null)?.code));
}

/** Milliseconds for which both sides keep a session without links, unless told otherwise. */
export const DEFAULT_GRACE = 60_000;

const FIRST_PAUSE = 20;
const LONGEST_PAUSE = 5000;

/** Milliseconds before each attempt: none before the first, then random ones that grow, so that clients don't come all at once. */
export function* pauses(): Generator<number, never> {
  yield 0;
  for (let most = FIRST_PAUSE; ; most = Math.min(most * 2, LONGEST_PAUSE))
    yield most / 2 + (Math.random() * most) / 2;
}

export interface Persistence {
  /** True when it is known that nobody will ever answer. */
  hopeless(): boolean;
  /** Milliseconds for which it is tried again; one attempt is always made. */
  patience(): number;
}

/**
 * Blocks this thread until an attempt succeeds. One that calls `advanced` has brought the peer something new before it
 * failed: the network is there, so patience and pauses begin anew. Throws what the last one threw.
 */
export function persist(
  attempt: (advanced: () => void) => void,
  { hopeless, patience }: Persistence,
): void {
  let until = performance.now() + patience();
  let rests = pauses();
  const advanced = (): void => {
    until = performance.now() + patience();
    rests = pauses();
  };
  let failure: unknown;
  for (;;) {
    const rest = rests.next().value;
    if (rest > 0 && performance.now() + rest > until) throw failure;
    if (rest > 0) pause(rest);
    try {
      return attempt(advanced);
    } catch (error) {
      if (isFinal(error) || hopeless()) throw error;
      failure = error;
    }
  }
}

/** Milliseconds that keep no process alive. */
export function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}

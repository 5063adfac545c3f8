/** How many requests of one client run at once. */
import type { Interceptor, Request } from '../objects/keeper.ts';

/**
 * Lets `most` calls (and constructions) run at once; the others wait, in their order, and go when their caller gives up.
 * A call that is made back from within one waits like any other.
 */
export function inTurns(most: number): Interceptor {
  let running = 0;
  const waiting = new Set<() => void>();
  const over = (): void => {
    const [first] = waiting;
    // Its place goes to the next one at once, before anybody else comes.
    if (first === undefined) running--;
    else first();
  };
  const run = (next: () => unknown): unknown => {
    let result: unknown;
    try {
      result = next();
    } catch (error) {
      over();
      throw error;
    }
    if (!(result instanceof Promise)) over();
    else result.then(over, over);
    return result;
  };
  return (request, next) => {
    if (request.operation !== 'call' && request.operation !== 'construct') return next();
    if (running >= most) return turn(request, waiting).then(() => run(next));
    running++;
    return run(next);
  };
}

function turn({ signal }: Request, waiting: Set<() => void>): Promise<void> {
  return new Promise((resolve, reject) => {
    const leave = (): void => {
      waiting.delete(begin);
      signal.removeEventListener('abort', giveUp);
    };
    const begin = (): void => {
      leave();
      resolve();
    };
    const giveUp = (): void => {
      leave();
      reject(signal.reason);
    };
    signal.addEventListener('abort', giveUp);
    waiting.add(begin);
  });
}

/**
 * The order in which remote sockets and pipes hear of things: one event, then Node lets ticks and microtasks drain, then the next,
 * as it is after each native callback. `await once(socket, 'connect')` relies on it to see data of the same packet.
 * It knows nothing of sockets.
 */

type Event = () => void;

const queue: Event[] = [];
let head = 0;
let running = false;

/** Runs `event` in a tick of its own, after all that were queued before it. Never inside this call. */
export function enqueue(event: Event): void {
  queue.push(event);
  if (running) return;
  running = true;
  process.nextTick(runNext);
}

function runNext(): void {
  const event = queue[head++];
  if (event === undefined) return stop();
  try {
    event();
  } finally {
    // In `finally`: what the user's code throws goes to Node as an uncaught exception, and the next event still comes.
    // The second tick is behind everything that the event itself scheduled.
    process.nextTick(afterMicrotasks);
  }
}

function afterMicrotasks(): void {
  if (head === queue.length) return stop();
  queueMicrotask(scheduleNext);
}

function scheduleNext(): void {
  process.nextTick(runNext);
}

function stop(): void {
  queue.length = 0;
  head = 0;
  running = false;
}

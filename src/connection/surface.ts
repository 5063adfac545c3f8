/**
 * A receiver's own exception must neither look like a fault of the peer nor stop the frames behind it: it surfaces as
 * an uncaught exception of its own, as it would from a native callback.
 */
export function surface(error: unknown): void {
  process.nextTick(() => {
    throw error;
  });
}

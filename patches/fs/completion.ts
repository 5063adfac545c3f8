/**
 * Hands asynchronous results to the program as Node does: one callback, then its ticks and microtasks, then the next.
 * Several answers may arrive in one packet, and are handed to us in one turn.
 */

/** A result was delivered in the stack that is still running. */
let busy = false;
/** Deliveries that wait for a turn of their own. */
let waiting = 0;

const unwound = Promise.resolve();

function idle(): void {
  busy = false;
}

/** Calls `deliver` now if this turn has delivered nothing yet, else in a turn of its own, in order. */
export function deliverInTurn(deliver: () => void): void {
  if (busy || waiting > 0) return deliverLater(deliver);
  busy = true;
  // Runs when the stack of this packet is unwound. Not by a tick: those leave a frame in the stacks of async functions.
  void unwound.then(idle);
  deliver();
}

/** For answers that were known at once: a callback must never run inside the call. */
export function deliverLater(deliver: () => void): void {
  waiting++;
  setImmediate(() => {
    waiting--;
    deliver();
  });
}

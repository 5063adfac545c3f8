/**
 * How long the way to a far side and back takes, seen from the connects that went there. Node's timer for one attempt of
 * happy eyeballs (250 ms) runs on this side of the link, so the link's own time must be added to it.
 */

/** Before the first measurement: generous, since too short fails a healthy first address. */
const UNMEASURED = 1000;
const AT_LEAST = 20;
/** Weight of the newest sample. */
const NEWEST = 0.25;

const roundTrips = new WeakMap<object, number>();

/** Tells of one more round trip of `milliseconds`. */
export function observeRoundTrip(connection: object, milliseconds: number): void {
  const sample = Math.max(0, milliseconds);
  const known = roundTrips.get(connection);
  roundTrips.set(connection, known === undefined ? sample : known + (sample - known) * NEWEST);
}

/** Milliseconds to add to a timer that waits for an answer of the far side. */
export function roundTripAllowance(connection: object): number {
  const known = roundTrips.get(connection);
  return known === undefined ? UNMEASURED : Math.ceil(Math.max(AT_LEAST, known * 1.5));
}

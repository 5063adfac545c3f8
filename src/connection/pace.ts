/**
 * How much bulk may be under way at once: a bit more than what the link carries in a round trip, as the peer's receipts
 * tell. Whatever goes beyond that only waits in queues on the way, and every small call waits behind it.
 */
import { Limit } from '../wire/message.ts';

/** Bytes: receipts come for each 64 KB, so less than two of them would wait for their timer; more has to be kept for a replay. */
const LEAST = 128 * 1024;
const MOST = 8 * 1024 * 1024 - Limit.DATA;
const START = 256 * 1024;
/** So that a link that gives more is noticed: soon, until a round trip took so much longer that there must be a queue. */
const GAIN = 1.15;
const FIRST_GAIN = 2;
const QUEUED = 1.25;
/** Milliseconds that two busy event loops may add to a round trip; and while small calls are made, which would wait for it. */
const SLACK = 2;
const SLACK_BESIDE_CALLS = 0.5;
/** Milliseconds for which a small call says that others will follow. */
const CALLS_PERIOD = 500;
/** Milliseconds: receipts come in bursts, so a rate over less would be one of a burst. */
const RATE_SPAN = 5;
/** Bytes of bulk that leave as one packet: the more where nobody waits for a millisecond until it is through. */
const CHUNK = 65_536;
const LARGE_CHUNK: number = Limit.DATA;
/** Milliseconds for which the best rate counts, and after which the shortest round trip is measured anew. */
const RATE_PERIOD = 1000;
const ROUND_TRIP_PERIOD = 10_000;
/** A receipt for at least this much was not delayed by its timer. */
const PROMPT = 64 * 1024;
/** Milliseconds: clocks are not finer than that. */
const SHORTEST = 0.02;

/** One packet on its way, and what had arrived when it left. */
interface Probe {
  readonly packet: number;
  readonly at: number;
  readonly arrived: number;
  /** The peer has it. */
  returned: boolean;
  /** Whether bulk had to wait meanwhile: else the rate is that of who sends, not of the link. */
  waited: boolean;
}

export class Pace {
  /** Bytes that may be under way. */
  budget: number = START;
  #arrived = 0;
  #probe: Probe | undefined;
  /** Bytes per millisecond: the best of this period, and of the one before. */
  #best = 0;
  #before = 0;
  #since = 0;
  /** Milliseconds. */
  #roundTrip = Number.POSITIVE_INFINITY;
  #measured = 0;
  /** The link was full at least once. */
  #filled = false;
  /** Queues run empty, to see how long the way is without them. */
  #draining = false;
  #calledAt = Number.NEGATIVE_INFINITY;

  /** Bytes that should leave as one packet. */
  get chunk(): number {
    return this.#rate < LARGE_CHUNK ? CHUNK : LARGE_CHUNK;
  }

  /** Another link: nothing is known of it. */
  restart(): void {
    this.budget = START;
    this.#probe = undefined;
    this.#best = 0;
    this.#before = 0;
    this.#roundTrip = Number.POSITIVE_INFINITY;
    this.#filled = false;
    this.#draining = false;
  }

  /** Frames leave that are no part of any bulk. */
  called(): void {
    this.#calledAt = performance.now();
  }

  /** A packet of bulk leaves. */
  left(packet: number): void {
    if (this.#probe !== undefined) return;
    const at = performance.now();
    this.#probe = { packet, at, arrived: this.#arrived, returned: false, waited: false };
  }

  /** The peer has all packets up to `packet`: `bytes` more than it had said before, of `underWay`. */
  acknowledged(packet: number, bytes: number, underWay: number): void {
    this.#arrived += bytes;
    const probe = this.#probe;
    if (probe === undefined) return;
    probe.waited ||= underWay >= this.budget;
    if (packet < probe.packet) return;
    const now = performance.now();
    const took = Math.max(now - probe.at, SHORTEST);
    if (!probe.returned && bytes >= PROMPT) this.#returned(took, now);
    probe.returned = true;
    if (took < RATE_SPAN) return;
    this.#probe = undefined;
    if (!this.#draining) this.#rated((this.#arrived - probe.arrived) / took, probe.waited, now);
    this.#draining ||= now - this.#measured > ROUND_TRIP_PERIOD;
    this.budget = this.#draining ? LEAST : this.#wanted(now);
  }

  #returned(took: number, now: number): void {
    this.#filled ||= took > QUEUED * this.#roundTrip;
    if (!this.#draining && took >= this.#roundTrip) return;
    this.#roundTrip = took;
    this.#measured = now;
    this.#draining = false;
  }

  #rated(rate: number, waited: boolean, now: number): void {
    if (!waited && rate <= this.#rate) return;
    if (now - this.#since > RATE_PERIOD) {
      this.#before = this.#best;
      this.#best = 0;
      this.#since = now;
    }
    this.#best = Math.max(this.#best, rate);
  }

  get #rate(): number {
    return Math.max(this.#best, this.#before);
  }

  #wanted(now: number): number {
    if (this.#roundTrip === Number.POSITIVE_INFINITY) return this.budget;
    const gain = this.#filled ? GAIN : FIRST_GAIN;
    const slack = now - this.#calledAt < CALLS_PERIOD ? SLACK_BESIDE_CALLS : SLACK;
    const wanted = this.#rate * (gain * this.#roundTrip + slack);
    return Math.max(LEAST, Math.min(wanted, MOST));
  }
}

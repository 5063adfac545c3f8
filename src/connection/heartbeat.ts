/**
 * Notices a peer that is silent although the link looks whole (frozen, blackholed). Anything that comes is a sign of
 * life. Silence is counted in turns of our own timer, so an event loop that was busy for a minute has waited one turn,
 * and it is judged only after the loop has read what the kernel has for us.
 */
import { ElsewhereError } from '../base/errors.ts';
import type { Watch } from './blocking.ts';

/** What is listened to. */
export interface Heart {
  /** Another number whenever anything has come, be it a part of a packet; undefined while we do not read. */
  readonly heard: number | undefined;
  /** Asked at each look: whether the peer is known to be busy since the last, so that its silence means nothing. */
  busy?(): boolean;
  /** Asks for a sign of life. */
  ping(payload: Uint8Array): void;
  /** Given up: the heartbeat ends, unless `alive` wants to know what comes after all. */
  silent(error: ElsewhereError): void;
  /** Something has come from a peer that was silent. */
  alive?(): void;
}

/** Milliseconds between heartbeats unless told otherwise. */
export const DEFAULT_HEARTBEAT = 5000;

/** We look twice in an interval; this many looks in a row without a sign end within three intervals of the last one. */
const LOOKS_PER_INTERVAL = 2;
const SILENT_LOOKS = 5;
/** After a sleep, what was up before it is most likely gone: this many looks are left for an answer. */
const LOOKS_AFTER_SLEEP = 2;

export class Heartbeat {
  readonly #heart: Heart;
  readonly #period: number;
  readonly #timer: NodeJS.Timeout;
  #heard: number | undefined;
  #quiet = 0;
  #pings = 0;
  #lastTick = performance.now();
  #lastDate = Date.now();
  #stopped = false;
  #silent = false;

  /** `interval` in milliseconds: a silent peer is asked twice in it, and given up within three. */
  constructor(heart: Heart, interval: number) {
    this.#heart = heart;
    this.#heard = heart.heard;
    this.#period = interval / LOOKS_PER_INTERVAL;
    this.#timer = setInterval(() => this.#look(), this.#period).unref();
  }

  #look(): void {
    const slept = this.#slept();
    const { heard } = this.#heart;
    const busy = this.#heart.busy?.() === true;
    if (heard === undefined || heard !== this.#heard) this.#spoke();
    else this.#quiet = busy ? 1 : this.#quiet + 1;
    this.#heard = heard;
    if (slept) this.#quiet = Math.max(this.#quiet, SILENT_LOOKS - LOOKS_AFTER_SLEEP);
    if (this.#quiet >= SILENT_LOOKS && !this.#silent) setImmediate(() => this.#judge());
    else if (this.#quiet > 0) this.#heart.ping(this.#payload());
  }

  #spoke(): void {
    this.#quiet = 0;
    if (!this.#silent) return;
    this.#silent = false;
    this.#heart.alive?.();
  }

  /** The clock on the wall went on while this machine slept; the one that timers use did not. */
  #slept(): boolean {
    const tick = performance.now();
    const date = Date.now();
    const gap = date - this.#lastDate - (tick - this.#lastTick);
    this.#lastTick = tick;
    this.#lastDate = date;
    return gap > this.#period;
  }

  #judge(): void {
    if (this.#stopped || this.#heart.heard !== this.#heard) return;
    if (this.#heart.alive === undefined) this.stop();
    this.#silent = true;
    this.#heart.silent(silence(this.#quiet * this.#period));
  }

  #payload(): Uint8Array {
    return payload(++this.#pings);
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
  }
}

/** The same for a thread that waits on a link of its own, and has to look by itself. `interval` as above. */
export function waitingHeartbeat(ping: (payload: Uint8Array) => void, interval: number): Watch {
  const period = interval / LOOKS_PER_INTERVAL;
  let pings = 0;
  return {
    period,
    looks: SILENT_LOOKS,
    ask: () => ping(payload(++pings)),
    error: () => silence(SILENT_LOOKS * period),
  };
}

function payload(count: number): Uint8Array {
  const body = Buffer.allocUnsafe(8);
  body.writeDoubleLE(count, 0);
  return body;
}

function silence(ms: number): ElsewhereError {
  const seconds = (ms / 1000).toFixed(1);
  return new ElsewhereError(
    'ERR_ELSEWHERE_CONNECTION_LOST',
    `nothing was heard of the peer for ${seconds} s, not even an answer to a heartbeat`,
  );
}

/**
 * Notices a peer that is silent although the link looks whole (frozen, blackholed). Any byte is a sign of life. A timer
 * that comes late means that this event loop was busy or asleep, so the peer gets another whole interval to be heard.
 */
import { ElsewhereError } from '../base/errors.ts';
import type { Lane } from './lane.ts';

const SILENT_INTERVALS = 3;

export class Heartbeat {
  readonly #timer: NodeJS.Timeout;
  #lastTick = performance.now();
  #count = 0;

  constructor(lane: Lane, interval: number) {
    let allowedSince = performance.now();
    this.#timer = setInterval(() => {
      const now = performance.now();
      if (now - this.#lastTick > interval * 1.5) allowedSince = now;
      this.#lastTick = now;
      const silent = now - Math.max(lane.lastHeard, allowedSince);
      if (silent > interval * SILENT_INTERVALS) lane.interrupt(silence(silent));
      else if (silent > interval / 2) lane.sendPing(this.#payload());
    }, interval);
    this.#timer.unref();
  }

  #payload(): Uint8Array {
    const body = Buffer.allocUnsafe(8);
    body.writeDoubleLE(++this.#count, 0);
    return body;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

function silence(ms: number): ElsewhereError {
  const seconds = (ms / 1000).toFixed(1);
  return new ElsewhereError(
    'ERR_ELSEWHERE_CONNECTION_LOST',
    `nothing was heard of the peer for ${seconds} s, not even an answer to a heartbeat`,
  );
}

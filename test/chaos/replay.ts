/** Watches how much this process keeps to be sent again, and breaks it on demand: from outside, so that the product has no hook. */
import { Lane } from '../../src/connection/lane.ts';
import { ReplayRing } from '../../src/connection/replay-ring.ts';

/** `most`: bytes that one lane has kept at most, from now on. */
export function watchReplay(): { readonly most: number } {
  const seen = { most: 0 };
  const { push } = ReplayRing.prototype;
  ReplayRing.prototype.push = function (...packet) {
    push.apply(this, packet);
    seen.most = Math.max(seen.most, this.bytes);
  };
  return seen;
}

/**
 * The mutant: what the peer says it has received is believed but for its last packet, so that this one comes to it
 * again. A chaos run that does not fail then is worth nothing.
 */
export function sendTwice(): void {
  const { attach } = Lane.prototype;
  Lane.prototype.attach = function (transport, count) {
    attach.call(this, transport, Math.max(this.acknowledged, count - 1));
  };
}

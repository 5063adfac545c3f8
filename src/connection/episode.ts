/**
 * A peer whose thread is blocked in a call reads only the lane of that call. What the work for that call asks back goes
 * there; anything else would be done in the middle of a call that it has nothing to do with, and waits on the main lane.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Lane } from './lane.ts';

/** From the first call of a blocked thread until the last of those nested in it is answered. */
export class Episode {
  readonly lane: Lane;
  /** Calls without an answer. */
  calls = 0;

  constructor(lane: Lane) {
    this.lane = lane;
  }

  /** Runs `work`, and all that it starts, for the blocked thread. */
  run<R>(work: () => R): R {
    return current.run(this, work);
  }
}

const current = new AsyncLocalStorage<Episode>();

/** What the running code works for: undefined if nobody is blocked for it, or not any more. */
export function currentEpisode(): Episode | undefined {
  const episode = current.getStore();
  return episode !== undefined && episode.calls > 0 ? episode : undefined;
}

/**
 * How a thread waits for a socket without being its prisoner. A blocking read cannot be given a limit in Node, nor be
 * ended from outside; so the socket does not block, and it is the thread that sleeps between attempts: not at all for the
 * time in which near agents answer, then for a share of the time that has passed already.
 */
import { originals } from '../base/originals.ts';
import { pause } from '../base/pause.ts';
import type { Watch } from './blocking.ts';

/** Milliseconds of trying again at once; pointless where the agent may need this very processor. */
const EAGER = originals.os.availableParallelism() > 1 ? 0.15 : 0;
/** Milliseconds of one sleep; between them an eighth of what was waited. */
const SHORTEST = 0.02;
const LONGEST = 2;
const SHARE = 1 / 8;

/** One wait, until something happens. */
export class Wait {
  readonly #began = performance.now();
  #lastLook = this.#began;
  #looks = 0;

  /** Returns when another attempt is due. `ask`: whether the peer may be asked for a sign of life now. Throws what the watch says. */
  rest(watch: Watch, ask: boolean): void {
    const now = performance.now();
    const waited = now - this.#began;
    // Counted in looks: a process that was stopped itself has waited for one.
    if (now - this.#lastLook >= watch.period) this.#look(watch, ask, now);
    else if (waited >= EAGER) pause(Math.min(Math.max(waited * SHARE, SHORTEST), LONGEST));
  }

  #look(watch: Watch, ask: boolean, now: number): void {
    this.#lastLook = now;
    if (++this.#looks >= watch.looks) throw watch.error();
    if (ask) watch.ask();
  }
}

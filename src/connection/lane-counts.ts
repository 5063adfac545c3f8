/** Figures of a lane since it began. */

/** The upper ends of the steps of a histogram, in milliseconds; what is above the last is in a step of its own. */
const STEPS: readonly number[] = Array.from({ length: 20 }, (_, i) => 2 ** i / 32);

export class RoundTrips {
  readonly #counts: number[] = new Array(STEPS.length + 1).fill(0);
  #asked: number | undefined;

  /** Another link: what was asked over the last one gets no answer. */
  restart(): void {
    this.#asked = undefined;
  }

  /** A ping has left. */
  asked(): void {
    this.#asked ??= performance.now();
  }

  /** Its answer is there. */
  answered(): void {
    if (this.#asked !== undefined) this.add(performance.now() - this.#asked);
    this.#asked = undefined;
  }

  add(milliseconds: number): void {
    const step = STEPS.findIndex((most) => milliseconds <= most);
    (this.#counts[step === -1 ? STEPS.length : step] as number)++;
  }

  /** Only steps in which there is something: `[most milliseconds, how many]`. */
  get histogram(): [number, number][] {
    return this.#counts
      .map((count, step): [number, number] => [STEPS[step] ?? Number.POSITIVE_INFINITY, count])
      .filter(([, count]) => count > 0);
  }
}

export class LaneCounts {
  bytesSent = 0;
  bytesReceived = 0;
  framesSent = 0;
  framesReceived = 0;
  readonly roundTrips: RoundTrips = new RoundTrips();
}

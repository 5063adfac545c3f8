/**
 * What may prove that a new link of a lane is the same client's. A link that was let in may have been given up by its
 * client before it heard so, or be overtaken by another attempt: until a secret of its links is used, any of them may
 * be the one that the client has, and so may the one before.
 */

/** A client that dials for this many links without hearing of one is not served better by more of them. */
const MOST = 32;

export class LaneSecrets {
  #before: Buffer | undefined;
  #given: Buffer[] = [];

  get all(): readonly Buffer[] {
    return this.#before === undefined ? this.#given : [this.#before, ...this.#given];
  }

  /** A link was let in by the secret `proven`, or as the lane's first, and takes `next` along. */
  add(proven: Buffer | undefined, next: Buffer): void {
    if (proven !== this.#before) this.#given = [];
    this.#before = proven;
    this.#given.push(next);
    if (this.#given.length > MOST) this.#given.shift();
  }
}

/**
 * Wrong passwords, counted for each user and address: who guesses gets ten tries in a minute (NIST SP 800-63B §5.2.2 asks
 * for a limit). Tokens need none: theirs are too long to guess.
 */

/** Wrong passwords for one user from one address, before further ones are refused unseen. */
export const MOST_GUESSES = 10;
/** Milliseconds until they are forgotten. */
const WINDOW = 60_000;
/** Users and addresses that are remembered. Who makes more of them up makes the oldest forgotten. */
const MOST_REMEMBERED = 10_000;

interface Wrong {
  times: number;
  readonly since: number;
}

/** What is known of the guesses from one address. */
export interface GuessesFrom {
  mayTry(user: string): boolean;
  wrong(user: string): void;
}

export class Guesses {
  readonly #wrong = new Map<string, Wrong>();

  /** `remote`: an address, with or without a port; or another name of where a client comes from. */
  from(remote: string): GuessesFrom {
    const address = remote.replace(/:\d+$/, '');
    const key = (user: string): string => `${address} ${user}`;
    return {
      mayTry: (user) => (this.#recent(key(user))?.times ?? 0) < MOST_GUESSES,
      wrong: (user) => this.#count(key(user)),
    };
  }

  #recent(key: string): Wrong | undefined {
    const wrong = this.#wrong.get(key);
    if (wrong === undefined || performance.now() - wrong.since < WINDOW) return wrong;
    this.#wrong.delete(key);
    return undefined;
  }

  #count(key: string): void {
    const wrong = this.#recent(key);
    if (wrong !== undefined) {
      wrong.times++;
      return;
    }
    const [oldest] = this.#wrong.keys();
    if (this.#wrong.size >= MOST_REMEMBERED && oldest !== undefined) this.#wrong.delete(oldest);
    this.#wrong.set(key, { times: 1, since: performance.now() });
  }
}

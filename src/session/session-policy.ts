/** The agent's policy for one session, with what its names were resolved to. */
import type { PolicyView } from '../patch.ts';
import { parseAddress } from '../security/address.ts';
import type { PolicyRules } from '../security/policy.ts';

/** Addresses whose names are remembered; the oldest goes first, and is asked for again. */
const MAX_ADDRESSES = 4096;

export class SessionPolicy implements PolicyView {
  readonly #rules: PolicyRules;
  readonly #names = new Map<string, Set<string>>();

  constructor(rules: PolicyRules) {
    this.#rules = rules;
  }

  get restricted(): boolean {
    return this.#rules.restricted;
  }

  resolved(name: string, addresses: readonly string[]): void {
    if (!this.restricted) return;
    for (const address of addresses) {
      const key = keyOf(address);
      const names = this.#names.get(key) ?? new Set();
      this.#names.delete(key);
      this.#names.set(key, names.add(name));
    }
    for (const key of this.#names.keys()) {
      if (this.#names.size <= MAX_ADDRESSES) break;
      this.#names.delete(key);
    }
  }

  connect(address: string, port: number): string | undefined {
    return this.#rules.connect(address, port, (at) => [...(this.#names.get(keyOf(at)) ?? [])]);
  }

  listen(address: string, port: number): string | undefined {
    return this.#rules.listen(address, port);
  }

  connectPath(path: string): string | undefined {
    return this.#rules.connectPath(path);
  }

  listenPath(path: string): string | undefined {
    return this.#rules.listenPath(path);
  }

  read(realPath: string): string | undefined {
    return this.#rules.read(realPath);
  }

  write(realPath: string): string | undefined {
    return this.#rules.write(realPath);
  }

  spawn(file: string): string | undefined {
    return this.#rules.spawn(file);
  }

  env(name: string): boolean {
    return this.#rules.env(name);
  }
}

/** One key for all spellings of an address. */
function keyOf(address: string): string {
  return parseAddress(address)?.join('.') ?? address;
}

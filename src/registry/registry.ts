/** Names of services and where they are: leases that end with whoever took them. Served as a service like any other. */
import { ElsewhereError } from '../base/errors.ts';
import { Service } from '../service/service.ts';

/** One address of a service. */
export interface Endpoint {
  readonly name: string;
  /** For `connect`, with the token in its fragment: whoever may ask the registry may connect. */
  readonly url: string;
  readonly hostname: string;
  readonly pid: number;
}

/** Milliseconds for which an entry stays without being renewed. */
export const LEASE = 15_000;
const MAX_ENTRIES = 10_000;
const MAX_TEXT = 2048;

interface Lease {
  readonly endpoint: Endpoint;
  until: number;
}

/** All entries, shared by the connections to the registry. */
export class Leases {
  readonly #lease: number;
  readonly #entries = new Map<string, Lease>();

  constructor(lease: number = LEASE) {
    this.#lease = lease;
  }

  get lease(): number {
    return this.#lease;
  }

  put(endpoint: Endpoint): void {
    this.#sweep();
    if (this.#entries.size >= MAX_ENTRIES)
      throw new ElsewhereError('ERR_ELSEWHERE_LIMIT', `the registry has ${MAX_ENTRIES} entries`);
    const until = Date.now() + this.#lease;
    this.#entries.set(keyOf(endpoint), { endpoint, until });
  }

  remove(endpoint: Endpoint): void {
    this.#entries.delete(keyOf(endpoint));
  }

  /** Newest last. */
  list(name?: string): Endpoint[] {
    this.#sweep();
    const wanted = name?.toUpperCase();
    return [...this.#entries.values()]
      .map(({ endpoint }) => endpoint)
      .filter((endpoint) => wanted === undefined || endpoint.name.toUpperCase() === wanted);
  }

  #sweep(): void {
    const now = Date.now();
    for (const [key, { until }] of this.#entries) if (until <= now) this.#entries.delete(key);
  }
}

function keyOf({ name, url }: Endpoint): string {
  return `${name.toUpperCase()} ${url}`;
}

/** What one client of the registry may do: see all, and keep its own entries. */
export class Registry extends Service {
  static override readonly exposed = [
    'register',
    'unregister',
    'discover',
    'list',
    'lease',
  ] as const;
  readonly #leases: Leases;
  readonly #own = new Map<string, Endpoint>();

  constructor(leases: Leases) {
    super();
    this.#leases = leases;
  }

  /** Milliseconds until an entry that is not registered again is forgotten. */
  get lease(): number {
    return this.#leases.lease;
  }

  /** Also renews. */
  register(given: Endpoint): void {
    const endpoint = checked(given);
    this.#leases.put(endpoint);
    this.#own.set(keyOf(endpoint), endpoint);
  }

  /** Only what this client has registered. */
  unregister(given: Endpoint): void {
    const key = keyOf(checked(given));
    const own = this.#own.get(key);
    if (own !== undefined) this.#leases.remove(own);
    this.#own.delete(key);
  }

  discover(name: string): Endpoint[] {
    return this.#leases.list(String(name));
  }

  list(): Endpoint[] {
    return this.#leases.list();
  }

  override onDisconnect(): void {
    for (const endpoint of this.#own.values()) this.#leases.remove(endpoint);
  }
}

function checked(given: unknown): Endpoint {
  const { name, url, hostname, pid } = Object(given) as Partial<Endpoint>;
  for (const text of [name, url, hostname])
    if (typeof text !== 'string' || text === '' || text.length > MAX_TEXT) throw malformed();
  if (typeof pid !== 'number') throw malformed();
  return { name: name as string, url: url as string, hostname: hostname as string, pid };
}

function malformed(): ElsewhereError {
  return new ElsewhereError(
    'ERR_ELSEWHERE_ARGUMENT',
    'an entry of the registry needs name, url, hostname (texts of at most 2048 characters) and pid',
  );
}

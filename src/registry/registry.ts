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
  /** What its clients may choose by. */
  readonly tags: readonly string[];
}

/** Milliseconds for which an entry stays without being renewed. */
export const LEASE = 15_000;
const MAX_ENTRIES = 10_000;
const MAX_TEXT = 2048;
const MAX_TAGS = 32;

/** What `watch` tells: first all that is there, then each change. */
export interface RegistryEvent {
  readonly type: 'added' | 'removed';
  readonly endpoint: Endpoint;
}

interface Lease {
  readonly endpoint: Endpoint;
  until: number;
}

/** All entries, shared by the connections to the registry. */
export class Leases {
  readonly #lease: number;
  readonly #entries = new Map<string, Lease>();
  readonly #watchers = new Set<(event: RegistryEvent) => void>();
  /** Somebody wants to know at once what has run out. */
  #clock: NodeJS.Timeout | undefined;

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
    const key = keyOf(endpoint);
    const isNew = !this.#entries.has(key);
    this.#entries.set(key, { endpoint, until });
    if (isNew) this.#tell({ type: 'added', endpoint });
  }

  remove(endpoint: Endpoint): void {
    const known = this.#entries.get(keyOf(endpoint));
    this.#entries.delete(keyOf(endpoint));
    if (known !== undefined) this.#tell({ type: 'removed', endpoint: known.endpoint });
  }

  /** Returns how to stop. */
  watch(watcher: (event: RegistryEvent) => void): () => void {
    this.#watchers.add(watcher);
    this.#clock ??= setInterval(() => this.#sweep(), this.#lease / 10).unref();
    return () => {
      this.#watchers.delete(watcher);
      if (this.#watchers.size === 0) this.#clock = void clearInterval(this.#clock);
    };
  }

  #tell(event: RegistryEvent): void {
    for (const watcher of this.#watchers) watcher(event);
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
    for (const { endpoint, until } of [...this.#entries.values()])
      if (until <= now) this.remove(endpoint);
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
    'watch',
    'lease',
  ] as const;
  readonly #leases: Leases;
  readonly #own = new Map<string, Endpoint>();
  /** Of watches whose client may vanish while they wait. */
  readonly #stops = new Set<() => void>();

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

  /** All that is there under the name (or everything), then each change, until the client has had enough. */
  async *watch(name?: string): AsyncGenerator<RegistryEvent> {
    const waiting: RegistryEvent[] = this.#leases
      .list(name)
      .map((endpoint) => ({ type: 'added', endpoint }));
    let wake: () => void = () => undefined;
    const stop = this.#leases.watch((event) => {
      if (name === undefined || event.endpoint.name.toUpperCase() === name.toUpperCase())
        waiting.push(event);
      wake();
    });
    this.#stops.add(stop);
    try {
      for (;;) {
        while (waiting.length > 0) yield waiting.shift() as RegistryEvent;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    } finally {
      stop();
      this.#stops.delete(stop);
    }
  }

  override onDisconnect(): void {
    for (const stop of this.#stops) stop();
    for (const endpoint of this.#own.values()) this.#leases.remove(endpoint);
  }
}

/** Whether it is whole, and not too long. */
export function isEndpoint(given: unknown): given is Endpoint {
  const { name, url, hostname, pid, tags } = Object(given) as Partial<Endpoint>;
  const isText = (text: unknown): boolean =>
    typeof text === 'string' && text !== '' && text.length <= MAX_TEXT;
  const areTags = Array.isArray(tags) && tags.length <= MAX_TAGS && tags.every(isText);
  return areTags && [name, url, hostname].every(isText) && typeof pid === 'number';
}

function checked(given: unknown): Endpoint {
  if (!isEndpoint(given)) throw malformed();
  const { name, url, hostname, pid, tags } = given;
  return { name, url, hostname, pid, tags };
}

function malformed(): ElsewhereError {
  return new ElsewhereError(
    'ERR_ELSEWHERE_ARGUMENT',
    'an entry of the registry needs name, url, hostname (texts of at most 2048 characters), pid, and at most 32 tags',
  );
}

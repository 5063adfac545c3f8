/**
 * A registry on NATS: entries of a key-value bucket that forgets what is not renewed. The packages @nats-io/transport-node
 * and @nats-io/kv are the user's to install; of them we use what is described here.
 */
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { runDetached } from '../base/context.ts';
import { ElsewhereError } from '../base/errors.ts';
import type { Directory } from './directory.ts';
import { type Endpoint, isEndpoint, LEASE, type RegistryEvent } from './registry.ts';

interface NatsConnection {
  isClosed(): boolean;
  close(): Promise<void>;
}
interface Entry {
  readonly key: string;
  readonly operation: 'PUT' | 'DEL' | 'PURGE';
  readonly created: Date;
  string(): string;
}
interface Watch extends AsyncIterable<Entry> {
  stop(): void;
}
interface Bucket {
  put(key: string, value: string): Promise<number>;
  get(key: string): Promise<Entry | null>;
  delete(key: string): Promise<void>;
  keys(filter: string): Promise<AsyncIterable<string>>;
  watch(options: { key: string }): Promise<Watch>;
  status(): Promise<{ readonly ttl: number }>;
}
interface Packages {
  connect(options: object): Promise<NatsConnection>;
  Kvm: new (
    conn: NatsConnection,
  ) => {
    create(bucket: string, options: object): Promise<Bucket>;
    open(bucket: string): Promise<Bucket>;
  };
}

const BUCKET = 'elsewhere';

/** nats://[USER:PASSWORD@|TOKEN@]HOST[:PORT][/BUCKET][?lease=SECONDS]; nats+tls: with TLS. */
export async function openNats(url: string): Promise<Directory> {
  const { connect, Kvm } = packages();
  const { hostname, port, username, password, pathname, searchParams, protocol } = new URL(url);
  const login = password === '' ? { token: username } : { user: username, pass: password };
  const conn = await runDetached(() =>
    connect({
      servers: `${hostname}:${port || 4222}`,
      ...(username === '' ? {} : login),
      ...(protocol === 'nats+tls:' ? { tls: {} } : {}),
    }),
  ).catch((error: Error) => {
    const where = url.replace(/\/\/.*@/, '//');
    throw new ElsewhereError('ERR_ELSEWHERE_CONNECT', `no NATS at ${where}: ${error.message}`, {
      cause: error,
    });
  });
  const name = pathname.slice(1) || BUCKET;
  const ttl = Number(searchParams.get('lease') ?? LEASE / 1000) * 1000;
  const manager = new Kvm(conn);
  // One that is there may have a lease of its own.
  const bucket = await manager.create(name, { ttl, history: 1 }).catch(() => manager.open(name));
  return new NatsDirectory(conn, bucket, (await bucket.status()).ttl);
}

function packages(): Packages {
  const names = ['@nats-io/transport-node', '@nats-io/kv'];
  const require = createRequire(import.meta.url);
  try {
    return Object.assign({}, ...names.map((name) => require(name) as object)) as Packages;
  } catch (error) {
    throw new ElsewhereError(
      'ERR_ELSEWHERE_ARGUMENT',
      `a registry on NATS needs two packages: npm install ${names.join(' ')}`,
      { cause: error },
    );
  }
}

class NatsDirectory implements Directory {
  readonly #conn: NatsConnection;
  readonly #bucket: Bucket;
  readonly #lease: number;

  constructor(conn: NatsConnection, bucket: Bucket, lease: number) {
    this.#conn = conn;
    this.#bucket = bucket;
    this.#lease = lease;
  }

  get closed(): boolean {
    return this.#conn.isClosed();
  }

  async find(name?: string): Promise<Endpoint[]> {
    const entries: Entry[] = [];
    for await (const key of await this.#bucket.keys(filterOf(name))) {
      const entry = await this.#bucket.get(key);
      if (entry?.operation === 'PUT') entries.push(entry);
    }
    entries.sort((a, b) => b.created.getTime() - a.created.getTime());
    return entries.map(endpointOf).filter((endpoint) => endpoint !== undefined);
  }

  /** Of what has run out NATS says nothing: whoever watches looks at the clock. */
  async *watch(name?: string): AsyncGenerator<RegistryEvent> {
    const watch = await this.#bucket.watch({ key: filterOf(name) });
    const known = new Map<string, { endpoint: Endpoint; until: number }>();
    const waiting: RegistryEvent[] = [];
    let wake: () => void = () => undefined;
    let over = false;
    const tell = (type: RegistryEvent['type'], endpoint: Endpoint): void => {
      waiting.push({ type, endpoint });
      wake();
    };
    const remove = (key: string): void => {
      const entry = known.get(key);
      known.delete(key);
      if (entry !== undefined) tell('removed', entry.endpoint);
    };
    const clock = setInterval(() => {
      for (const [key, { until }] of known) if (until <= Date.now()) remove(key);
    }, this.#lease / 10).unref();
    const reading = (async () => {
      for await (const entry of watch) {
        const endpoint = entry.operation === 'PUT' ? endpointOf(entry) : undefined;
        if (endpoint === undefined) remove(entry.key);
        else {
          const isNew = !known.has(entry.key);
          known.set(entry.key, { endpoint, until: entry.created.getTime() + this.#lease });
          if (isNew) tell('added', endpoint);
        }
      }
    })().finally(() => {
      over = true;
      wake();
    });
    try {
      while (!over) {
        while (waiting.length > 0) yield waiting.shift() as RegistryEvent;
        if (!over)
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
      }
      await reading;
    } finally {
      clearInterval(clock);
      watch.stop();
      reading.catch(() => undefined);
    }
  }

  async put(endpoint: Endpoint): Promise<number> {
    await this.#bucket.put(keyOf(endpoint), JSON.stringify(endpoint));
    return this.#lease;
  }

  async remove(endpoint: Endpoint): Promise<void> {
    await this.#bucket.delete(keyOf(endpoint));
  }

  close(): Promise<void> {
    return this.#conn.close();
  }
}

/** Keys of NATS have few characters: the name goes in hex, the address as its digest. */
function keyOf({ name, url }: Endpoint): string {
  return `${hex(name)}.${createHash('sha256').update(url).digest('hex').slice(0, 32)}`;
}

function filterOf(name: string | undefined): string {
  return name === undefined ? '*.*' : `${hex(name)}.*`;
}

function hex(name: string): string {
  return Buffer.from(name.toUpperCase()).toString('hex');
}

/** Undefined for what others may have put there. */
function endpointOf(entry: Entry): Endpoint | undefined {
  try {
    const value: unknown = JSON.parse(entry.string());
    return isEndpoint(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

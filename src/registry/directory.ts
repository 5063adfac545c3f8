/** Where entries are kept: a registry of ours, or NATS for fleets. Both answer the same questions. */
import { type ConnectOptions, connect } from '../service/connect.ts';
import type { Connection } from '../service/connection.ts';
import type { Endpoint, Registry, RegistryEvent } from './registry.ts';

export interface Directory {
  /** It was lost: open another one. */
  readonly closed: boolean;
  /** Entries of a name, or all; the newest first. */
  find(name?: string): Promise<Endpoint[]>;
  /** What is there, then each change, until `close`. */
  watch(name?: string): AsyncIterable<RegistryEvent>;
  /** Also renews. Resolves with the milliseconds for which the entry stays. */
  put(endpoint: Endpoint): Promise<number>;
  remove(endpoint: Endpoint): Promise<void>;
  close(): Promise<void>;
}

/** Rejects as `connect` does; ERR_ELSEWHERE_ARGUMENT where NATS is meant and its packages are not there. */
export async function openDirectory(url: string, options: ConnectOptions = {}): Promise<Directory> {
  if (!/^nats(?:\+tls)?:/.test(url)) return new OwnDirectory(await connect<Registry>(url, options));
  // Loaded by who uses it.
  const { openNats } = await import('./nats.ts');
  return openNats(url);
}

class OwnDirectory implements Directory {
  readonly #conn: Connection<Registry>;

  constructor(conn: Connection<Registry>) {
    this.#conn = conn.unref();
  }

  get closed(): boolean {
    return this.#conn.state === 'closed';
  }

  async find(name?: string): Promise<Endpoint[]> {
    const { root } = this.#conn;
    const found = await (name === undefined ? root.list() : root.discover(name));
    return (found as unknown as Endpoint[]).reverse();
  }

  watch(name?: string): AsyncIterable<RegistryEvent> {
    // Somebody waits for it.
    this.#conn.ref();
    return this.#conn.root.watch(name as string) as AsyncIterable<RegistryEvent>;
  }

  async put(endpoint: Endpoint): Promise<number> {
    const { root } = this.#conn;
    await root.register(endpoint);
    return root.lease as unknown as Promise<number>;
  }

  async remove(endpoint: Endpoint): Promise<void> {
    await this.#conn.root.unregister(endpoint);
  }

  close(): Promise<void> {
    return this.#conn.close();
  }
}

/** Asks a registry, and keeps entries in one. */
import { ElsewhereError } from '../base/errors.ts';
import { originals } from '../base/originals.ts';
import { type ConnectOptions, connect } from '../service/connect.ts';
import type { Connection } from '../service/connection.ts';
import type { Server } from '../service/serve.ts';
import { isLinkPort, type LinkPort } from '../transport/port.ts';
import type { Endpoint, Registry, RegistryEvent } from './registry.ts';

export interface RegistryChoice {
  /** The registry's URL. Default: ELSEWHERE_REGISTRY. */
  readonly registry?: string;
}

/** Every address of a service, the newest first. */
export async function discover(name: string, choice: RegistryChoice = {}): Promise<Endpoint[]> {
  const found = await ask(choice, (conn) => conn.root.discover(name));
  return found.reverse();
}

/** Everything that is registered. */
export function listServices(choice: RegistryChoice = {}): Promise<Endpoint[]> {
  return ask(choice, (conn) => conn.root.list());
}

/**
 * Every address of a service (of all, without a name) and then each change as it comes, until the loop ends or `signal`
 * is aborted: `for await (const { type, endpoint } of watch('CALC'))`. Rejects when the registry is lost.
 */
export async function* watch(
  name?: string,
  { signal, ...choice }: RegistryChoice & { readonly signal?: AbortSignal } = {},
): AsyncGenerator<RegistryEvent> {
  signal?.throwIfAborted();
  const conn = await connect<Registry>(registryUrl(choice));
  const close = (): void => void conn.close();
  signal?.addEventListener('abort', close, { once: true });
  try {
    yield* conn.root.watch(name as string) as AsyncIterable<RegistryEvent>;
  } catch (error) {
    throw signal?.aborted === true ? signal.reason : error;
  } finally {
    signal?.removeEventListener('abort', close);
    await conn.close();
  }
}

async function ask(
  choice: RegistryChoice,
  question: (conn: Connection<Registry>) => PromiseLike<unknown>,
): Promise<Endpoint[]> {
  const conn = await connect<Registry>(registryUrl(choice), { heartbeat: 0 });
  try {
    return (await question(conn)) as Endpoint[];
  } finally {
    await conn.close();
  }
}

function registryUrl({ registry = process.env['ELSEWHERE_REGISTRY'] }: RegistryChoice): string {
  if (registry !== undefined && registry !== '') return registry;
  throw new ElsewhereError(
    'ERR_ELSEWHERE_ARGUMENT',
    'which registry? give its URL as `registry`, or set ELSEWHERE_REGISTRY',
  );
}

const SCHEME = 'elsewhere:';

/**
 * Connects to an agent: ws://host:port/#TOKEN, tcp://host:port#TOKEN, wss: and tls: likewise, or unix:/path#TOKEN.
 * exec:COMMAND and ssh://user@host start one, which ends with the connection; a Worker or a MessagePort leads to an agent
 * in another thread that listens on its own end; elsewhere:NAME is the newest address of that service that answers. Rejects with ERR_ELSEWHERE_CONNECT, _AUTH, _VERSION, _TIMEOUT or _ARGUMENT.
 */
export async function connectByName<S = unknown>(
  target: string | URL | LinkPort,
  options: ConnectOptions & RegistryChoice = {},
): Promise<Connection<S>> {
  const text = isLinkPort(target) ? '' : String(target);
  if (!text.startsWith(SCHEME)) return connect<S>(target, options);
  return (await reach<S>(text, options)).conn;
}

/** The URL behind elsewhere:NAME, of an agent that has just answered; any other URL as it is. */
export async function locate(
  url: string,
  options: ConnectOptions & RegistryChoice = {},
): Promise<string> {
  if (!url.startsWith(SCHEME)) return url;
  const found = await reach(url, options);
  await found.conn.close();
  return found.url;
}

async function reach<S>(
  text: string,
  options: ConnectOptions & RegistryChoice,
): Promise<{ conn: Connection<S>; url: string }> {
  const name = decodeURIComponent(text.slice(SCHEME.length));
  const failures: unknown[] = [];
  for (const { url } of await discover(name, options)) {
    try {
      return { conn: await connect<S>(url, options), url };
    } catch (error) {
      failures.push(error);
    }
  }
  const why = failures.length === 0 ? 'nobody has registered it' : 'no address of it answers';
  throw new ElsewhereError('ERR_ELSEWHERE_CONNECT', `cannot connect to ${name}: ${why}`, {
    cause: failures.length > 1 ? new AggregateError(failures) : failures[0],
  });
}

export interface Registration {
  /** Names are compared without regard to case. */
  readonly name: string;
  readonly registry?: string;
}

/** Keeps an entry of `server` in a registry until it is closed: renewed three times in each lease. */
export async function register(server: Server, { name, registry }: Registration): Promise<void> {
  const url = registryUrl(registry === undefined ? {} : { registry });
  const hostname = originals.os.hostname();
  const endpoint: Endpoint = { name, url: server.url, hostname, pid: process.pid };
  let conn: Connection<Registry> | undefined;
  const renew = async (): Promise<number> => {
    if (conn === undefined || conn.state === 'closed')
      conn = (await connect<Registry>(url)).unref();
    await conn.root.register(endpoint);
    return conn.root.lease as unknown as Promise<number>;
  };
  const lease = await renew();
  // A registry that is away is asked again at the next turn.
  const timer = setInterval(() => void renew().catch(() => undefined), lease / 3).unref();
  server.beforeClose(async () => {
    clearInterval(timer);
    await conn?.close();
  });
}

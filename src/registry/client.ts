/** Asks a registry, and keeps entries in one. */
import { ElsewhereError } from '../base/errors.ts';
import { originals } from '../base/originals.ts';
import { type ConnectOptions, connect, type Target } from '../service/connect.ts';
import type { Connection } from '../service/connection.ts';
import type { Server } from '../service/serve.ts';
import { type Directory, openDirectory } from './directory.ts';
import type { Endpoint, RegistryEvent } from './registry.ts';

export interface RegistryChoice {
  /** The registry's URL, or one of NATS: nats://host:4222. Default: ELSEWHERE_REGISTRY. */
  readonly registry?: string;
  /** Only addresses that were registered with all of these. */
  readonly tags?: readonly string[];
}

/** Every address of a service, the newest first. */
export function discover(name: string, choice: RegistryChoice = {}): Promise<Endpoint[]> {
  return ask(choice, (directory) => directory.find(name));
}

/** Everything that is registered, the newest first. */
export function listServices(choice: RegistryChoice = {}): Promise<Endpoint[]> {
  return ask(choice, (directory) => directory.find());
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
  const directory = await openDirectory(registryUrl(choice));
  const close = (): void => void directory.close();
  signal?.addEventListener('abort', close, { once: true });
  try {
    for await (const event of directory.watch(name)) if (fits(event.endpoint, choice)) yield event;
    signal?.throwIfAborted();
  } catch (error) {
    throw signal?.aborted === true ? signal.reason : error;
  } finally {
    signal?.removeEventListener('abort', close);
    await directory.close();
  }
}

async function ask(
  choice: RegistryChoice,
  question: (directory: Directory) => Promise<Endpoint[]>,
): Promise<Endpoint[]> {
  const directory = await openDirectory(registryUrl(choice), { heartbeat: 0 });
  try {
    return (await question(directory)).filter((endpoint) => fits(endpoint, choice));
  } finally {
    await directory.close();
  }
}

function fits({ tags }: Endpoint, { tags: wanted = [] }: RegistryChoice): boolean {
  return wanted.every((tag) => tags.includes(tag));
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
 * in another thread that listens on its own end, a Duplex of yours, or `{ input, output }`, to one that listens on its
 * other end; elsewhere:NAME is the newest address of that service that answers. Rejects with ERR_ELSEWHERE_CONNECT, _AUTH, _VERSION, _TIMEOUT or _ARGUMENT.
 */
export async function connectByName<S = unknown>(
  target: Target,
  options: ConnectOptions & RegistryChoice = {},
): Promise<Connection<S>> {
  const text = typeof target === 'string' || target instanceof URL ? String(target) : '';
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
  const urls = (await discover(name, options)).map(({ url }) => url);
  try {
    return await firstThatAnswers<S>(urls, options);
  } catch (error) {
    options.signal?.throwIfAborted();
    const { errors } = error as AggregateError;
    const why = errors.length === 0 ? 'nobody has registered it' : 'no address of it answers';
    throw new ElsewhereError('ERR_ELSEWHERE_CONNECT', `cannot connect to ${name}: ${why}`, {
      cause: errors.length > 1 ? error : errors[0],
    });
  }
}

/** Milliseconds after which the next address is tried too: one that is frozen holds up nobody. */
const STAGGER = 500;

/** Rejects with an AggregateError. */
async function firstThatAnswers<S>(
  urls: readonly string[],
  options: ConnectOptions,
): Promise<{ conn: Connection<S>; url: string }> {
  const stops = urls.map(() => new AbortController());
  let wake: () => void = () => undefined;
  let isFound = false;
  const attempts: Promise<{ conn: Connection<S>; url: string }>[] = [];
  for (const [index, url] of urls.entries()) {
    if (isFound) break;
    const { signal } = stops[index] as AbortController;
    const signals =
      options.signal === undefined ? signal : AbortSignal.any([signal, options.signal]);
    const attempt = connect<S>(url, { ...options, signal: signals }).then((conn) => {
      if (isFound) return conn.close().then(() => Promise.reject(new Error('too late')));
      isFound = true;
      for (const [other, stop] of stops.entries()) if (other !== index) stop.abort();
      return { conn, url };
    });
    attempt.then(
      () => wake(),
      () => wake(),
    );
    attempts.push(attempt);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, STAGGER);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
  return Promise.any(attempts);
}

export interface Registration {
  /**
   * Compared without regard to case. Default: the names of the service: its class's `serviceName` (or own name) and
   * `aliases`.
   */
  readonly name?: string;
  readonly registry?: string;
  /** What clients may choose by: `discover(name, { tags: ['gpu'] })`. At most 32. */
  readonly tags?: readonly string[];
  /**
   * The agent's address for clients, where it is not the one on which it listens: behind NAT, in a container. The token is
   * added to a URL that has none. Default: `server.url`.
   */
  readonly url?: string;
}

/** Keeps an entry of `server` in a registry until it is closed: renewed three times in each lease. */
export async function register(server: Server, registration: Registration): Promise<void> {
  const endpoints = endpointsOf(server, registration);
  const { registry } = registration;
  const url = registryUrl(registry === undefined ? {} : { registry });
  let directory: Directory | undefined;
  const renew = async (): Promise<number> => {
    if (directory === undefined || directory.closed) directory = await openDirectory(url);
    const leases = await Promise.all(endpoints.map((endpoint) => directory?.put(endpoint)));
    return leases[0] as number;
  };
  const lease = await renew();
  // A registry that is away is asked again at the next turn.
  const timer = setInterval(() => void renew().catch(() => undefined), lease / 3).unref();
  server.beforeClose(async () => {
    clearInterval(timer);
    const left = endpoints.map((endpoint) => directory?.remove(endpoint));
    await Promise.all(left).catch(() => undefined);
    await directory?.close();
  });
}

function endpointsOf(server: Server, registration: Registration): Endpoint[] {
  const { tags = [], name, url = server.url } = registration;
  const names = name === undefined ? server.services : [name];
  if (names.length === 0)
    throw new ElsewhereError(
      'ERR_ELSEWHERE_ARGUMENT',
      'registered as what? give `register: { name }`, or the class of the service a `static serviceName`',
    );
  const hostname = originals.os.hostname();
  const withToken = url.includes('#') ? url : `${url}#${server.token}`;
  return names.map((one) => ({ name: one, url: withToken, hostname, pid: process.pid, tags }));
}

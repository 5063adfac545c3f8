/** Dials an agent. */
import { ElsewhereError } from '../base/errors.ts';
import type { BlockingLink } from '../connection/blocking.ts';
import { openBlocking } from '../connection/blocking-open.ts';
import { DEFAULT_HEARTBEAT } from '../connection/heartbeat.ts';
import { DEFAULT_GRACE } from '../connection/redial.ts';
import { ObjectSession } from '../objects/session.ts';
import { tokenKey } from '../security/auth.ts';
import { NearSession } from '../session/near-session.ts';
import { parseEndpoint } from '../transport/endpoint.ts';
import { openTransport } from '../transport/open.ts';
import type { Endpoint, Transport } from '../transport/transport.ts';
import { Connection } from './connection.ts';
import { type ServiceSource, serveService } from './service.ts';

export interface ConnectOptions {
  /** Default: the URL's fragment, then ELSEWHERE_TOKEN. */
  readonly token?: string;
  /** Milliseconds for dialling and proving each other's token. Default 10,000. */
  readonly timeout?: number;
  readonly signal?: AbortSignal;
  /**
   * Milliseconds between heartbeats, 0 for none. A link over which nothing comes for three of them, not even answers to
   * heartbeats, is given up and dialled again. Default 5,000.
   */
  readonly heartbeat?: number;
  /**
   * Milliseconds for which a lost link is dialled again, while everything that uses it waits. The agent's own `grace`
   * may be shorter. Default 60,000.
   */
  readonly grace?: number;
  /** 'hold' (default): wait for `grace`. 'fail': the loss of the link ends the connection. */
  readonly onDisconnect?: 'hold' | 'fail';
  /** What `peer.root` is for the agent's own service: nothing unless given. */
  readonly service?: ServiceSource;
  /** How blocking calls block: on a socket of their own (default where the system can), or through a worker thread. */
  readonly sync?: 'socket' | 'worker';
}

/**
 * Connects to an agent: ws://host:port/#TOKEN, tcp://host:port#TOKEN or unix:/path#TOKEN.
 * Rejects with ERR_ELSEWHERE_CONNECT, _AUTH, _VERSION, _TIMEOUT or _ARGUMENT.
 */
export async function connect<S = unknown>(
  url: string | URL,
  options: ConnectOptions = {},
): Promise<Connection<S>> {
  const session = newSession(String(url), options);
  const connection = connectionOf<S>(session, String(url), options);
  await session.connect(options.signal);
  return connection.ref();
}

/** The same without waiting for the event loop: blocks until the agent has answered. Does not keep the process alive. */
export function connectBlocking(url: string, options: ConnectOptions = {}): Connection {
  const session = newSession(url, options);
  session.connectSync();
  return connectionOf(session, url, options);
}

/** Before anything arrives: the far side may call as soon as it knows us. */
export function connectionOf<S>(
  session: NearSession,
  url: string,
  { service }: Pick<ConnectOptions, 'service'>,
): Connection<S> {
  const objects = new ObjectSession({
    methods: session.methods,
    // The token is nobody's business in a log.
    description: url.replace(/#.*$/, ''),
    request: (method, args, done) => session.request(method, args, done),
    requestSync: (method, args) => session.requestSync(method, args),
    notify: (method, args) => session.notify(method, args),
    hold: () => session.hold(),
    release: () => session.release(),
  });
  const ended = (cleanup: (reason: Error) => void): void => void session.onClosed(cleanup);
  if (service !== undefined) serveService(objects, service, session.id, ended);
  ended(() => objects.end());
  return new Connection<S>(session, objects);
}

function newSession(url: string, options: ConnectOptions): NearSession {
  const endpoint = parseEndpoint(url, 'connect');
  const timeout = options.timeout ?? 10_000;
  return new NearSession({
    key: tokenKey(findToken(endpoint, options)),
    timeout,
    heartbeat: options.heartbeat ?? DEFAULT_HEARTBEAT,
    grace: options.onDisconnect === 'fail' ? 0 : (options.grace ?? DEFAULT_GRACE),
    dial: (signal, timeout) => openTransport(endpoint, { signal, timeout }),
    dialBlocking: (main) => dialBlocking(endpoint, main, timeout, options.sync),
  });
}

function dialBlocking(
  endpoint: Endpoint,
  main: Transport | undefined,
  timeout: number,
  prefer: 'socket' | 'worker' | undefined,
): BlockingLink {
  return openBlocking(sameAddress(endpoint, main), {
    timeout,
    ...(prefer === undefined ? {} : { prefer }),
  });
}

/** The blocking lane dials the very address that the main lane reached: no name is looked up twice. */
function sameAddress(endpoint: Endpoint, main: Transport | undefined): Endpoint {
  const host = main?.remote?.host;
  return endpoint.scheme === 'unix' || host === undefined ? endpoint : { ...endpoint, host };
}

function findToken(endpoint: Endpoint, options: ConnectOptions): string {
  const token = options.token ?? endpoint.token ?? process.env['ELSEWHERE_TOKEN'];
  if (token !== undefined && token !== '') return token;
  throw new ElsewhereError(
    'ERR_ELSEWHERE_AUTH',
    'no token: use the whole URL that `elsewhere serve` printed, or set ELSEWHERE_TOKEN',
  );
}

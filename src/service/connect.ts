/** Dials an agent. */
import type { Duplex } from 'node:stream';
import { runLocally } from '../base/context.ts';
import { ElsewhereError } from '../base/errors.ts';
import { BlockingDialler } from '../connection/blocking-open.ts';
import { DEFAULT_HEARTBEAT } from '../connection/heartbeat.ts';
import { DEFAULT_GRACE } from '../connection/redial.ts';
import { openPortLink, type Relay, startRelay } from '../connection/worker-link.ts';
import { ObjectSession } from '../objects/session.ts';
import { PRIVATE_LINK_TOKEN, tlsKey, tokenKey } from '../security/auth.ts';
import { type UserLogin, userLogin } from '../security/users.ts';
import { ObservedSession } from '../session/observed-session.ts';
import { ownThread, refuseOwnThread } from '../session/self.ts';
import { isStarted, parseEndpoint } from '../transport/endpoint.ts';
import { isOwnRelay } from '../transport/introduction.ts';
import { openTransport } from '../transport/open.ts';
import { PipeLinks, type PipePair, pipePair } from '../transport/pipe.ts';
import { isLinkPort, type LinkPort, openPort } from '../transport/port.ts';
import { fingerprint, isSecure } from '../transport/tls.ts';
import {
  type DialledEndpoint,
  isRelayed,
  type SshOptions,
  type TlsClientOptions,
  type Transport,
} from '../transport/transport.ts';
import { Connection } from './connection.ts';
import { currentRedirection } from './redirect-stdio.ts';
import { type ServiceSource, serveService } from './service.ts';

const DEFAULT_TIMEOUT = 10_000;
/** Somebody may have to type a password, or a container to start. */
const STARTED_TIMEOUT = 60_000;

export interface ConnectOptions {
  /** A user's name, with the password in place of the token. Default: the URL's, ws://NAME@host:port/#PASSWORD. */
  readonly user?: string;
  /** Default: the URL's fragment, then ELSEWHERE_TOKEN. */
  readonly token?: string;
  /** Milliseconds for dialling and proving each other's token. Default 10,000; 60,000 for exec: and ssh: */
  readonly timeout?: number;
  readonly signal?: AbortSignal;
  /**
   * Milliseconds between heartbeats, 0 for none. A link over which nothing comes for three of them, not even answers to
   * heartbeats, is given up and dialled again (but for exec:, ssh: and ports, whose loss is the connection's). Default 5,000.
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
  /** For wss: and tls: URLs. By default the certificate and its host name are verified as Node does for https. */
  readonly tls?: TlsClientOptions;
  /** For ssh: URLs; what else it needs it takes from its own configuration. */
  readonly ssh?: SshOptions;
  /** How blocking calls block: on a socket of their own (default where the system can), or through a worker thread. */
  readonly sync?: 'socket' | 'worker';
}

/**
 * Connects to an agent. exec:COMMAND and ssh://user@host start one, which ends with the connection; a Worker or a
 * MessagePort leads to an agent in another thread that listens on its own end; a Duplex of yours, or `{ input, output }`,
 * to an agent that listens on its other end (without blocking calls, which would hold the very
 * thread that moves the streams). Else a URL with an address:
 * ws://host:port/#TOKEN, tcp://host:port#TOKEN, wss: and tls: likewise, or unix:/path#TOKEN.
 * Rejects with ERR_ELSEWHERE_CONNECT, _AUTH, _VERSION, _TIMEOUT or _ARGUMENT.
 */
export async function connect<S = unknown>(
  target: Target,
  options: ConnectOptions = {},
): Promise<Connection<S>> {
  const [session, description] = sessionTo(target, options);
  const connection = connectionOf<S>(session, description, options);
  await session.connect(options.signal);
  return connection.ref();
}

/** Where an agent is. */
export type Target = string | URL | LinkPort | PipePair | Duplex;

function sessionTo(target: Target, options: ConnectOptions): [ObservedSession, string] {
  const pair = pipePair(target);
  if (pair !== undefined) return [pipeSession(pair, options), 'a pair of streams'];
  if (isLinkPort(target)) return [portSession(target, options), 'a port'];
  return [newSession(String(target), options), String(target)];
}

/** The same without waiting for the event loop: blocks until the agent has answered. Does not keep the process alive. */
export function connectBlocking(url: string, options: ConnectOptions = {}): Connection {
  const session = newSession(url, options);
  try {
    session.connectSync();
  } catch (error) {
    void session.close();
    throw error;
  }
  return connectionOf(session, url, options);
}

/** Before anything arrives: the far side may call as soon as it knows us. */
export function connectionOf<S>(
  session: ObservedSession,
  url: string,
  { service }: Pick<ConnectOptions, 'service'>,
): Connection<S> {
  const objects = new ObjectSession({
    methods: session.methods,
    // The token is nobody's business in a log.
    description: url.replace(/#.*$/, ''),
    request: (...call) => session.request(...call),
    cancel: (id) => session.cancel(id),
    requestSync: (method, args) => session.requestSync(method, args),
    notify: (method, args) => session.notify(method, args),
    hold: () => session.hold(),
    release: () => session.release(),
    stdio: () => currentRedirection(session),
  });
  const ended = (cleanup: (reason: Error) => void): void => void session.onClosed(cleanup);
  if (service !== undefined)
    serveService(objects, { source: service, peer: { id: session.id }, ended });
  ended(() => objects.end());
  return new Connection<S>(session, objects);
}

function newSession(url: string, options: ConnectOptions): ObservedSession {
  const endpoint = parseEndpoint(url, 'connect');
  if (options.ssh !== undefined && endpoint.scheme !== 'ssh')
    throw new ElsewhereError('ERR_ELSEWHERE_ARGUMENT', 'ssh options are for ssh: URLs');
  if (!isStarted(endpoint)) return dialledSession(withTls(endpoint, options), options);
  const { ssh } = options;
  const withOptions =
    endpoint.scheme === 'ssh' && ssh !== undefined ? { ...endpoint, ssh } : endpoint;
  let relay: Relay | undefined;
  const timeout = options.timeout ?? STARTED_TIMEOUT;
  const port = (): LinkPort => {
    relay ??= startRelay(withOptions, timeout);
    return relay.port;
  };
  const session = privateSession(port, { ...options, timeout });
  session.onClosed(() => relay?.close());
  return session;
}

/** Through the other end of a port, to an agent of another thread. */
function portSession(port: LinkPort, options: ConnectOptions): ObservedSession {
  return privateSession(() => port, options);
}

function pipeSession(pair: PipePair, options: ConnectOptions): ObservedSession {
  let links: PipeLinks | undefined;
  const open = (): Transport => {
    links ??= new PipeLinks(pair);
    return links.open();
  };
  const session = new ObservedSession({
    ...privateOptions(options),
    dial: async () => runLocally(open),
    dialBlocking: () => {
      throw new ElsewhereError(
        'ERR_ELSEWHERE_SYNC_DEADLOCK',
        'the streams to the agent are moved by this thread, which a blocking call would hold: use the asynchronous form, or connect by an address or exec:',
      );
    },
  });
  session.onClosed(() => links?.close());
  return session;
}

/** What carries its links cannot be dialled again, so that its loss is the connection's. */
function privateOptions(options: ConnectOptions) {
  return {
    key: tokenKey(options.token ?? PRIVATE_LINK_TOKEN),
    timeout: options.timeout ?? DEFAULT_TIMEOUT,
    heartbeat: options.heartbeat ?? DEFAULT_HEARTBEAT,
    grace: 0,
  };
}

function privateSession(port: () => LinkPort, options: ConnectOptions): ObservedSession {
  const common = privateOptions(options);
  return new ObservedSession({
    ...common,
    dial: async () => runLocally(() => openPort(port())),
    dialBlocking: (_main, peer) => {
      refuseOwnThread(peer);
      return runLocally(() => openPortLink(port(), common.timeout));
    },
  });
}

function dialledSession(endpoint: DialledEndpoint, options: ConnectOptions): ObservedSession {
  const timeout = options.timeout ?? DEFAULT_TIMEOUT;
  const { sync } = options;
  const blocking = new BlockingDialler(
    sync === undefined ? { timeout } : { timeout, prefer: sync },
  );
  const session = new ObservedSession({
    key: keyFor(endpoint, options),
    timeout,
    heartbeat: options.heartbeat ?? DEFAULT_HEARTBEAT,
    grace: options.onDisconnect === 'fail' ? 0 : (options.grace ?? DEFAULT_GRACE),
    dial: (signal, timeout) => openTransport(endpoint, { signal, timeout }),
    dialBlocking: (main, peer) => {
      refuseOwnThread(peer);
      if (isRelayed(endpoint) && isOwnRelay(endpoint)) throw ownThread('the relay');
      return blocking.open(sameAddress(endpoint, main));
    },
  });
  session.onClosed(() => blocking.close());
  return session;
}

/** The name to verify stays the URL's, also when its address is dialled. */
function withTls(endpoint: DialledEndpoint, options: ConnectOptions): DialledEndpoint {
  const { tls } = options;
  if (!isSecure(endpoint)) {
    if (tls === undefined) return endpoint;
    throw new ElsewhereError(
      'ERR_ELSEWHERE_ARGUMENT',
      `tls options are for wss: and tls: URLs; this one is ${endpoint.scheme}:`,
    );
  }
  if (tls?.pin !== undefined) fingerprint(tls.pin);
  if (tls?.psk === true && isRelayed(endpoint))
    throw new ElsewhereError(
      'ERR_ELSEWHERE_ARGUMENT',
      'tls.psk is between client and agent; with a relay the TLS is its own, by certificate',
    );
  if (tls?.psk === true)
    return { ...endpoint, psk: tlsKey(findToken(endpoint, options)).toString('hex') };
  return { ...endpoint, tls: { ...tls, servername: tls?.servername ?? endpoint.host } };
}

/** The blocking lane dials the very address that the main lane reached: no name is looked up twice. */
function sameAddress(endpoint: DialledEndpoint, main: Transport | undefined): DialledEndpoint {
  const host = main?.remote?.host;
  return endpoint.scheme === 'unix' || host === undefined ? endpoint : { ...endpoint, host };
}

function keyFor(endpoint: DialledEndpoint, options: ConnectOptions): Buffer | UserLogin {
  const secret = findToken(endpoint, options);
  const user = options.user ?? ('user' in endpoint ? endpoint.user : undefined);
  return user === undefined ? tokenKey(secret) : userLogin(user, secret);
}

function findToken(endpoint: DialledEndpoint, options: ConnectOptions): string {
  const token = options.token ?? endpoint.token ?? process.env['ELSEWHERE_TOKEN'];
  if (token !== undefined && token !== '') return token;
  throw new ElsewhereError(
    'ERR_ELSEWHERE_AUTH',
    'no token: use the whole URL that `elsewhere serve` printed, or set ELSEWHERE_TOKEN',
  );
}

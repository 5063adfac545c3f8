/** The serving side: lets authenticated links in and gathers them into sessions. */
import { randomBytes } from 'node:crypto';
import { EventEmitter } from 'node:events';
import type { Duplex } from 'node:stream';
import { runDetached } from '../base/context.ts';
import { ElsewhereError, isElsewhereError } from '../base/errors.ts';
import { log } from '../base/log.ts';
import { checkToken, newToken, PRIVATE_LINK_TOKEN, tlsKey } from '../security/auth.ts';
import { Guesses } from '../security/guesses.ts';
import { mayUpgrade } from '../security/origin.ts';
import type { Policy } from '../security/policy.ts';
import { formatUrl, isLoopback, parseEndpoint } from '../transport/endpoint.ts';
import type { PostGate } from '../transport/http-post.ts';
import { listen } from '../transport/listen.ts';
import { listenPipe, type PipePair, pipePair } from '../transport/pipe.ts';
import { isLinkPort, type LinkPort, listenPort } from '../transport/port.ts';
import { isSecure, type TlsServerOptions } from '../transport/tls.ts';
import {
  type DialledEndpoint,
  isRelayed,
  type Listener,
  type RelayedEndpoint,
  type TlsClientOptions,
  type Transport,
} from '../transport/transport.ts';
import { dialOut } from './dial-out.ts';
import { driveHandshake } from './drive.ts';
import { Endings } from './endings.ts';
import type { AgentSession, Guest } from './far-session.ts';
import { type Admission, refusal, serverHandshake } from './handshake.ts';
import { type AuthOptions, Keyring, type Login } from './keyring.ts';

export interface AgentOptions {
  /**
   * Where to listen: ws://host:port, tcp://host:port, wss: and tls: likewise, or unix:/path. Default: ws on loopback,
   * a free port. Or a worker's port (`parentPort`), or a pair of pipes: whoever holds their other end is let in without a token.
   */
  readonly listen?: string | LinkPort | PipePair | Duplex;
  /**
   * In place of `listen`: dials a relay and takes `name` there, by which clients reach it; again whenever the relay is lost.
   * `url` is what `elsewhere relay` printed; `tls` for relays: URLs.
   */
  readonly relay?: { readonly url: string; readonly name: string; readonly tls?: TlsClientOptions };
  /** Default: 256 fresh random bits. At least 16 characters. */
  readonly token?: string;
  /** Who else may come in, and who has a say in it. */
  readonly auth?: AuthOptions;
  /** Answers an HTTP POST of whoever came in. */
  readonly post?: (body: string, login: Login) => Promise<string | undefined>;
  /** More clients at once are refused with ERR_ELSEWHERE_LIMIT. Default: no limit. */
  readonly maxConnections?: number;
  /** One client: others are refused, and when it has gone the server closes. Default false. */
  readonly once?: boolean;
  /** Milliseconds from accept to authenticated. Default 10,000. */
  readonly authTimeout?: number;
  /** Milliseconds for which a client that was cut off may come back and find everything as it was. Default 60,000. */
  readonly grace?: number;
  /**
   * Milliseconds between heartbeats, 0 for none. A client from which nothing comes for three of them has its `grace` from
   * then on, as if its links were lost. They stay: if it was only busy, nothing has happened. Default 5,000.
   */
  readonly heartbeat?: number;
  /** What clients may do; what it does not list is denied. Default: all but to reach clouds' metadata addresses. */
  readonly policy?: Policy;
  /** Names besides localhost and IP literals that a ws client may use as Host. */
  readonly allowedHosts?: readonly string[];
  /** For wss: and tls:. */
  readonly tls?: TlsServerOptions;
  /** Allows ws: and tcp: beyond loopback, where anyone on the way can read and change everything. Default false. */
  readonly insecure?: boolean;
}

/** More than this many links that have not proven themselves are dropped at once. */
const MAX_UNAUTHENTICATED = 64;
/** A wrong token costs at least this long, so that guessing is slow. */
const REFUSAL_DELAY = 100;
type KnownLogin = Guest['login'];
/** Begins the session of a client; `onOver` is called once, with why it is over. */
export type OpenSession = (guest: Guest, onOver: (why: string) => void) => AgentSession;
const STOPPING = 'the agent is stopping';

/** Ports and pipes have none. */
const URL_WITH_ADDRESS = /^(?:wss?|tcp|tls|unix|relays?):/;

export class Agent {
  readonly events: EventEmitter = new EventEmitter();
  readonly token: string;
  readonly #keyring: Keyring;
  readonly #guesses = new Guesses();
  readonly #verify: AuthOptions['verify'];
  readonly #maxConnections: number;
  readonly #once: boolean;
  readonly #open: OpenSession;
  readonly #authTimeout: number;
  /** Tells clients whether it is still the same run of the agent, with all that it held. */
  readonly #epoch: string = randomBytes(16).toString('hex');
  readonly #sessions = new Map<string, AgentSession>();
  readonly #endings = new Endings();
  #unauthenticated = 0;
  #listener: Listener | undefined;
  #relay: RelayedEndpoint | undefined;
  #closing = false;

  constructor(options: AgentOptions, open: OpenSession) {
    const isPrivate = options.listen !== undefined && typeof options.listen !== 'string';
    this.token = options.token ?? (isPrivate ? PRIVATE_LINK_TOKEN : newToken());
    checkToken(this.token);
    this.#keyring = new Keyring(this.token, options.auth);
    this.#verify = options.auth?.verify;
    this.#maxConnections = options.maxConnections ?? Number.POSITIVE_INFINITY;
    this.#once = options.once === true;
    this.#open = open;
    this.#authTimeout = options.authTimeout ?? 10_000;
  }

  async listen(options: AgentOptions): Promise<void> {
    const { listen: where = 'ws://127.0.0.1:0' } = options;
    if (typeof where !== 'string') return this.#listenPrivately(where);
    if (options.relay !== undefined) return this.#dialOut(options.relay);
    const endpoint = parseEndpoint(where, 'listen');
    if (options.insecure !== true) refuseExposure(endpoint);
    this.#listener = await runDetached(() =>
      listen(endpoint, {
        onTransport: (transport, info) => this.accept(transport, info.remote),
        refused: (remote, error) => this.#report(remote, failedHandshake(error)),
        tls: options.tls,
        psk: options.tls?.psk === true ? tlsKey(this.token) : undefined,
        post: options.post && this.#postGate(options.post),
        admit: (headers) =>
          mayUpgrade(headers, { allowedHosts: options.allowedHosts ?? [], allowedOrigins: [] }),
      }),
    );
  }

  /** Each POST is a login of its own. */
  #postGate(answer: NonNullable<AgentOptions['post']>): PostGate {
    return async ({ authorization, remote, certificate }) => {
      const guesses = this.#guesses.from(remote);
      const known = this.#closing ? undefined : this.#keyring.authorized(authorization, guesses);
      if (known === undefined) {
        await new Promise((resolve) => setTimeout(resolve, REFUSAL_DELAY));
        return undefined;
      }
      const login: Login = { credentials: { ...known, certificate }, peer: undefined, remote };
      const verify = this.#verify;
      try {
        const granted =
          verify === undefined ? login : await verified(verify, login, this.#authTimeout);
        return (body) => answer(body, granted);
      } catch (error) {
        this.#report(remote, error as ElsewhereError);
        return undefined;
      }
    };
  }

  async #dialOut({ url, name, tls }: NonNullable<AgentOptions['relay']>): Promise<void> {
    const endpoint = parseEndpoint(url, 'connect');
    if (!isRelayed(endpoint) || endpoint.relay.token === '' || name === '')
      throw new ElsewhereError(
        'ERR_ELSEWHERE_ARGUMENT',
        'relay needs { url, name }: the whole URL that `elsewhere relay` printed, and a name for this agent there',
      );
    const relay = { ...endpoint.relay, name };
    const servername = tls?.servername ?? endpoint.host;
    const secure = isSecure(endpoint) ? { tls: { ...tls, servername } } : {};
    this.#relay = { ...endpoint, ...secure, relay };
    this.#listener = await dialOut(this.#relay, (transport) =>
      this.accept(transport, this.#relay?.host ?? 'a relay'),
    );
  }

  #listenPrivately(where: LinkPort | PipePair | Duplex): void {
    const accept = (name: string) => (transport: Transport) => this.accept(transport, name);
    const pair = pipePair(where);
    if (pair !== undefined) this.#listener = listenPipe(pair, accept('stdio'));
    else if (isLinkPort(where)) this.#listener = listenPort(where, accept('a port'));
    else
      throw new ElsewhereError(
        'ERR_ELSEWHERE_ARGUMENT',
        'listen needs a URL, a port of a worker, a Duplex, or { input, output }',
      );
  }

  get url(): string {
    if (this.#listener === undefined || !URL_WITH_ADDRESS.test(this.#listener.url))
      throw new ElsewhereError('ERR_ELSEWHERE_CLOSED', 'the agent listens on no address');
    return formatUrl(this.#relay ?? parseEndpoint(this.#listener.url, 'connect'), this.token);
  }

  get listener(): Listener | undefined {
    return this.#listener;
  }

  get sessions(): readonly AgentSession[] {
    return [...this.#sessions.values()];
  }

  /** Authenticates a link and gives it to its session: a bad peer is told why and dropped. */
  accept(transport: Transport, remote: string): void {
    if (this.#unauthenticated >= MAX_UNAUTHENTICATED || this.#closing) return transport.destroy();
    this.#unauthenticated++;
    const handshake = serverHandshake({
      keyring: this.#keyring,
      guesses: this.#guesses.from(remote),
      epoch: this.#epoch,
      secrets: (session, lane) =>
        this.#sessions.get(session)?.secrets(lane) ?? this.#endings.of(session),
    });
    driveHandshake(
      transport,
      handshake,
      { timeout: this.#authTimeout, who: 'client' },
      (error, admission) => {
        this.#unauthenticated--;
        if (admission === undefined) return this.#refuse(transport, remote, error);
        const { certificate } = transport;
        const { peer } = admission;
        const credentials = { ...admission.credentials, certificate };
        const login: KnownLogin = { credentials, peer, remote };
        if (this.#verify === undefined || this.#sessions.has(admission.session))
          return this.#admit(transport, admission, login);
        this.#unauthenticated++;
        void verified(this.#verify, login, this.#authTimeout)
          .finally(() => this.#unauthenticated--)
          .then(
            (granted) => this.#admit(transport, admission, granted),
            (refused: unknown) => this.#refuse(transport, remote, refused),
          );
      },
    );
  }

  #admit(transport: Transport, admission: Admission, login: KnownLogin): void {
    const refuse = (error: unknown): void => this.#refuse(transport, login.remote, error);
    try {
      this.#session(admission, login).attach(transport, admission)?.catch(refuse);
    } catch (error) {
      refuse(error);
    }
  }

  #refuse(transport: Transport, remote: string, error: unknown): void {
    const said = isElsewhereError(error)
      ? error
      : new ElsewhereError('ERR_ELSEWHERE_PROTOCOL', 'the handshake failed');
    this.#report(remote, said);
    // Still counted as unauthenticated while it waits.
    this.#unauthenticated++;
    setTimeout(() => {
      this.#unauthenticated--;
      const last = refusal(said);
      transport.send(last.kind, last.body);
      transport.close();
    }, REFUSAL_DELAY).unref();
  }

  #report(remote: string, error: ElsewhereError): void {
    log(`refused ${remote}: ${error.message}`);
    this.events.emit('refused', remote, error);
  }

  #session({ session: id }: Admission, login: KnownLogin): AgentSession {
    const known = this.#sessions.get(id);
    if (known !== undefined) {
      refuseOthers(known.login, login);
      return known;
    }
    this.#refuseCrowd();
    const session = this.#open({ id, login }, (why) => {
      this.#sessions.delete(id);
      this.#endings.add(id, why);
      this.events.emit('disconnect', session);
    });
    this.#sessions.set(id, session);
    this.events.emit('connection', session);
    return session;
  }

  #refuseCrowd(): void {
    if (this.#closing) throw new ElsewhereError('ERR_ELSEWHERE_CLOSED', STOPPING);
    const many = this.#once ? 1 : this.#maxConnections;
    if (this.#sessions.size >= many)
      throw new ElsewhereError(
        'ERR_ELSEWHERE_LIMIT',
        `the agent serves ${many} ${many === 1 ? 'client' : 'clients'} at once, and has as many`,
      );
  }

  /** `drain`: milliseconds for calls under way; a second call without any ends them at once. */
  async close(drain = 0): Promise<void> {
    const sessions = this.sessions;
    const over = sessions.map((session) => new Promise<void>((resolve) => session.onEnd(resolve)));
    // Asked again: less patiently than before.
    if (this.#closing && drain === 0) for (const session of sessions) session.close(STOPPING);
    if (!this.#closing) {
      this.#closing = true;
      await this.#listener?.close();
      for (const session of this.sessions) session.drain(STOPPING, drain);
    }
    await Promise.all(over);
  }
}

/** A link of a session is its client's, whoever else may come in. */
function refuseOthers(one: Login, other: Login): void {
  const { by, name } = one.credentials;
  if (other.credentials.by === by && other.credentials.name === name) return;
  throw new ElsewhereError('ERR_ELSEWHERE_AUTH', 'this session belongs to somebody else');
}

async function verified<L extends Login>(
  verify: NonNullable<AuthOptions['verify']>,
  login: L,
  timeout: number,
): Promise<L> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(resolve, timeout, false);
  });
  try {
    const granted = await Promise.race([(async () => verify(login))(), late]);
    if (granted === false) throw new Error('refused');
    return granted === undefined || granted === true
      ? login
      : { ...login, credentials: { ...login.credentials, granted } };
  } catch (error) {
    // Why is the agent's business.
    throw new ElsewhereError('ERR_ELSEWHERE_AUTH', 'the agent does not let this client in', {
      cause: error,
    });
  } finally {
    clearTimeout(timer);
  }
}

function failedHandshake(error: Error): ElsewhereError {
  return new ElsewhereError('ERR_ELSEWHERE_AUTH', `the TLS handshake failed: ${error.message}`, {
    cause: error,
  });
}

/** Without TLS only this machine may reach the agent. */
function refuseExposure(endpoint: DialledEndpoint): void {
  if (endpoint.scheme === 'unix' || isSecure(endpoint) || isLoopback(endpoint.host)) return;
  throw new ElsewhereError(
    'ERR_ELSEWHERE_DENIED',
    `refusing to listen on ${endpoint.host} without TLS: anyone on the way could read and change everything; listen on wss: or tls: with a certificate, or on 127.0.0.1 and reach it through ssh; \`insecure\` (--insecure) allows it all the same`,
  );
}

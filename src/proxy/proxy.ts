/** A proxy on this machine whose connections are the far side's: SOCKS 5, HTTP, and forwarded ports both ways. */
import type { Server, Socket } from 'node:net';
import { ElsewhereError } from '../base/errors.ts';
import { originals } from '../base/originals.ts';
import type { Remote } from '../scope/with-remote.ts';
import { type ExposedPort, type ExposeOptions, openPort } from '../service/expose.ts';
import { notPublished } from './failure.ts';
import { FarSide, HIGH_WATER } from './far-side.ts';
import { httpSide } from './http-server.ts';
import { Listening } from './listening.ts';
import { pacFile } from './pac.ts';
import { formatPlace, type HostPort, type Place, peerOf, refusePublic } from './place.ts';
import { serveSocks } from './socks-server.ts';
import { type ProxyEvent, type ProxyStats, Traffic } from './traffic.ts';

/** What comes to `listen` on this machine is connected with `to`, as the far side sees it: `ssh -L`. */
export interface Forward {
  /** A port of 127.0.0.1 (0: any free one), a host and port, or the path of a unix socket. */
  readonly listen: number | HostPort | string;
  /** A host and port, the host by name or address, or the path of a unix socket. */
  readonly to: HostPort | string;
}

export interface ProxyOptions {
  /** SOCKS 5 with names resolved on the far side, and UDP. A port of 127.0.0.1 (0: any free one), or a host and port. */
  readonly socks?: number | HostPort;
  /** HTTP: CONNECT and plain requests; its PAC file is at /proxy.pac. */
  readonly http?: number | HostPort;
  /** Ports of this machine that lead to places of the far side. */
  readonly forward?: readonly Forward[];
  /** Ports of the far side that lead to places of this machine: `ssh -R`. */
  readonly reverse?: readonly ExposeOptions[];
  /** Lets it listen beyond loopback, where whoever reaches it uses the far side's network in your name. Default false. */
  readonly public?: boolean;
  /** Told of each connection that was opened, or has failed. */
  readonly onConnection?: (event: ProxyEvent) => void;
  /** Ends it. */
  readonly signal?: AbortSignal;
}

export interface RunningProxy {
  /** Where it listens, with the real ports; undefined for what was not asked for. */
  readonly socks: HostPort | undefined;
  readonly http: HostPort | undefined;
  /** In the order of the options. */
  readonly forward: readonly Place[];
  readonly reverse: readonly HostPort[];
  stats(): ProxyStats;
  /** Settles when it has ended: closed, or its connection is over. */
  readonly closed: Promise<void>;
  /** Stops listening, and ends the connections that are open. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Rejects with ERR_ELSEWHERE_DENIED for a public address without `public` and for a port that the agent's policy does not
 * let us have, ERR_ELSEWHERE_CONNECT where an address cannot be had, here or over there. Then nothing listens.
 */
export async function proxy(conn: Remote, options: ProxyOptions): Promise<RunningProxy> {
  const { signal } = options;
  signal?.throwIfAborted();
  const opened = new Opened(conn, options);
  try {
    await opened.open();
    signal?.throwIfAborted();
  } catch (error) {
    await opened.close();
    throw error;
  }
  signal?.addEventListener('abort', () => void opened.close(), { once: true });
  conn.channel.onClosed(() => void opened.close());
  return opened;
}

class Opened implements RunningProxy {
  socks: HostPort | undefined;
  http: HostPort | undefined;
  readonly forward: Place[] = [];
  readonly reverse: HostPort[] = [];
  readonly closed: Promise<void>;
  readonly #conn: Remote;
  readonly #options: ProxyOptions;
  readonly #far: FarSide;
  readonly #traffic: Traffic;
  readonly #closing: (() => unknown)[] = [];
  #settle: () => void = () => undefined;
  #over = false;

  constructor(conn: Remote, options: ProxyOptions) {
    this.#conn = conn;
    this.#options = options;
    this.#far = new FarSide(conn);
    this.#traffic = new Traffic(options.onConnection);
    this.closed = new Promise((resolve) => (this.#settle = resolve));
  }

  async open(): Promise<void> {
    const { socks, http, forward = [], reverse = [] } = this.#options;
    if (socks === undefined && http === undefined && forward.length + reverse.length === 0)
      throw new ElsewhereError(
        'ERR_ELSEWHERE_ARGUMENT',
        'a proxy for what? give at least one of socks, http, forward, reverse',
      );
    if (socks !== undefined) this.socks = await this.#listenSocks(placeOf(socks));
    if (http !== undefined) this.http = await this.#listenHttp(placeOf(http));
    for (const one of forward) this.forward.push(await this.#listenForward(one));
    for (const one of reverse) this.reverse.push(await this.#publish(one));
  }

  async #listen(server: Server, place: Place): Promise<Place> {
    if (this.#options.public !== true) refusePublic(place);
    const listening = await Listening.open(server, place);
    this.#closing.push(() => listening.close());
    return listening.place;
  }

  #server(serve: (socket: Socket) => void): Server {
    const options = { allowHalfOpen: true, noDelay: true, highWaterMark: HIGH_WATER };
    return originals.net.createServer(options, serve);
  }

  async #listenSocks(place: Place): Promise<HostPort> {
    const server = this.#server((socket) => serveSocks(socket, this.#far, this.#traffic));
    return (await this.#listen(server, place)) as HostPort;
  }

  async #listenHttp(place: Place): Promise<HostPort> {
    const side = httpSide(this.#far, this.#traffic, (host) => pacFile(this, host));
    this.#closing.push(() => side.close());
    return (await this.#listen(side.server, place)) as HostPort;
  }

  #listenForward({ listen, to }: Forward): Promise<Place> {
    const target = placeOf(to);
    const server = this.#server((near) => this.#forwarded(near, target));
    return this.#listen(server, placeOf(listen));
  }

  #forwarded(near: Socket, target: Place): void {
    // Joined at once: the first bytes travel with the request to connect.
    const event = { kind: 'forward', from: peerOf(near), to: formatPlace(target) } as const;
    this.#traffic.join(near, this.#far.connect(target), event);
  }

  async #publish(options: ExposeOptions): Promise<HostPort> {
    const port: ExposedPort = await openPort(this.#conn, options, (far, near) => {
      const to = formatPlace(placeOf(options.to as Forward['listen']));
      this.#traffic.join(near, far, { kind: 'reverse', from: peerOf(far), to });
    }).catch((error: Error) => {
      throw notPublished(error, options);
    });
    this.#closing.push(() => port.close());
    return { host: port.host, port: port.port };
  }

  stats(): ProxyStats {
    return this.#traffic.stats();
  }

  async close(): Promise<void> {
    if (this.#over) return this.closed;
    this.#over = true;
    this.#traffic.close();
    await Promise.all(this.#closing.map((close) => close()));
    this.#settle();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** A number is a port of loopback, a string the path of a unix socket. */
function placeOf(given: number | HostPort | string): Place {
  if (typeof given === 'number') return { host: '127.0.0.1', port: given };
  return typeof given === 'string' ? { path: given } : given;
}

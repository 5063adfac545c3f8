/** Listens for transports on ws:, wss:, tcp:, tls: and unix: endpoints. */
import type { AddressInfo, Server as NetServer, Socket } from 'node:net';
import { runLocally } from '../base/context.ts';
import { ElsewhereError } from '../base/errors.ts';
import { originals } from '../base/originals.ts';
import { formatUrl } from './endpoint.ts';
import type { PostGate } from './http-post.ts';
import { socketTransport } from './socket.ts';
import { isSecure, reportFailures, serverSettings, type TlsServerOptions } from './tls.ts';
import type { DialledEndpoint, Listener, Transport } from './transport.ts';

/** What a WebSocket handshake says of its sender. */
export interface UpgradeHeaders {
  readonly method: string | undefined;
  readonly path: string | undefined;
  readonly host: string | undefined;
  readonly origin: string | undefined;
}

export interface ListenOptions {
  /** Called for each transport, before anything was read from it. `remote` is for logs. */
  onTransport(transport: Transport, info: { readonly remote: string }): void;
  /** Whether a WebSocket handshake may go on. */
  admit(headers: UpgradeHeaders): boolean;
  /** A client whose TLS handshake failed, so that there never was a transport. */
  refused?(remote: string, error: Error): void;
  /** Who may send an HTTP POST to a ws: or wss: listener. Default: nobody. */
  readonly post?: PostGate | undefined;
  /** For tls: and wss:. */
  readonly tls?: TlsServerOptions | undefined;
  /** The key of `tls.psk`. */
  readonly psk?: Buffer | undefined;
}

/** Rejects with ERR_ELSEWHERE_CONNECT, with Node's own error as cause, where the address cannot be had. */
export async function listen(endpoint: DialledEndpoint, options: ListenOptions): Promise<Listener> {
  const server = await newServer(endpoint, options);
  if (endpoint.scheme === 'unix') await freeSocketPath(endpoint.path);
  await listening(server, endpoint);
  return new ServerListener(server, endpoint);
}

async function newServer(endpoint: DialledEndpoint, options: ListenOptions): Promise<NetServer> {
  if (endpoint.scheme !== 'ws' && endpoint.scheme !== 'wss')
    return runLocally(() => socketServer(endpoint, options));
  // Loaded when needed: WebSockets take longer to load than all the rest.
  const { wsServer } = await import('./ws-server.ts');
  return runLocally(() => wsServer(endpoint, options));
}

function socketServer(endpoint: DialledEndpoint, options: ListenOptions): NetServer {
  const accept = (socket: Socket): void => {
    const remote =
      endpoint.scheme === 'unix'
        ? `a client of ${endpoint.path}`
        : `${socket.remoteAddress ?? '?'}:${socket.remotePort ?? 0}`;
    options.onTransport(socketTransport(socket, `${endpoint.scheme} client ${remote}`), { remote });
  };
  if (!isSecure(endpoint)) return originals.net.createServer(accept);
  const server = originals.tls.createServer(serverSettings(options.tls, options.psk), accept);
  reportFailures(server, options.refused);
  return server;
}

function listening(server: NetServer, endpoint: DialledEndpoint): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        new ElsewhereError(
          'ERR_ELSEWHERE_CONNECT',
          `cannot listen on ${formatUrl(endpoint, undefined)}: ${error.message}`,
          { cause: error },
        ),
      );
    });
    server.once('listening', resolve);
    if (endpoint.scheme !== 'unix') return server.listen(endpoint.port, endpoint.host);
    // Whoever can open the socket can try tokens: only its owner may.
    const mask = process.umask(0o177);
    try {
      server.listen(endpoint.path);
    } finally {
      process.umask(mask);
    }
  });
}

/** Removes the socket file of an agent that is gone; never anything else. */
async function freeSocketPath(path: string): Promise<void> {
  const stat = runLocally(() => originals.fs.lstatSync(path, { throwIfNoEntry: false }));
  if (stat === undefined) return;
  if (!stat.isSocket())
    throw new ElsewhereError(
      'ERR_ELSEWHERE_CONNECT',
      `cannot listen on unix:${path}: there is something else at that path`,
    );
  if (await answers(path))
    throw new ElsewhereError(
      'ERR_ELSEWHERE_CONNECT',
      `cannot listen on unix:${path}: another process listens there`,
    );
  runLocally(() => originals.fs.unlinkSync(path));
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket: Socket = runLocally(() => originals.net.connect({ path }));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

class ServerListener implements Listener {
  readonly url: string;
  readonly #server: NetServer;
  readonly #endpoint: DialledEndpoint;

  constructor(server: NetServer, endpoint: DialledEndpoint) {
    this.#server = server;
    const { port } = (server.address() ?? {}) as Partial<AddressInfo>;
    this.#endpoint =
      endpoint.scheme === 'unix' ? endpoint : { ...endpoint, port: port ?? endpoint.port };
    this.url = formatUrl(this.#endpoint, undefined);
  }

  /** Node removes the file of a unix socket itself. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      // Connections that exist belong to their sessions and end with them.
      resolve();
    });
  }

  ref(): void {
    this.#server.ref();
  }

  unref(): void {
    this.#server.unref();
  }
}

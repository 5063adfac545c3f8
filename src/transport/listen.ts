/** Listens for transports on ws:, tcp: and unix: endpoints. */
import type { AddressInfo, Server as NetServer, Socket } from 'node:net';
import { runLocally } from '../base/context.ts';
import { ElsewhereError } from '../base/errors.ts';
import { originals } from '../base/originals.ts';
import { formatUrl } from './endpoint.ts';
import { socketTransport } from './socket.ts';
import type { Endpoint, Listener, Transport } from './transport.ts';

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
}

/** Rejects with ERR_ELSEWHERE_CONNECT, with Node's own error as cause, where the address cannot be had. */
export async function listen(endpoint: Endpoint, options: ListenOptions): Promise<Listener> {
  const server = await newServer(endpoint, options);
  if (endpoint.scheme === 'unix') await freeSocketPath(endpoint.path);
  await listening(server, endpoint);
  return new ServerListener(server, endpoint);
}

async function newServer(endpoint: Endpoint, options: ListenOptions): Promise<NetServer> {
  if (endpoint.scheme !== 'ws') return runLocally(() => socketServer(endpoint, options));
  // Loaded when needed: WebSockets take longer to load than all the rest.
  const { wsServer } = await import('./ws-server.ts');
  return runLocally(() => wsServer(options));
}

function socketServer(endpoint: Endpoint, options: ListenOptions): NetServer {
  return originals.net.createServer((socket) => {
    const remote =
      endpoint.scheme === 'unix'
        ? `a client of ${endpoint.path}`
        : `${socket.remoteAddress ?? '?'}:${socket.remotePort ?? 0}`;
    options.onTransport(socketTransport(socket, `${endpoint.scheme} client ${remote}`), { remote });
  });
}

function listening(server: NetServer, endpoint: Endpoint): Promise<void> {
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
  readonly #endpoint: Endpoint;

  constructor(server: NetServer, endpoint: Endpoint) {
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

/** Publishes a port of this machine on the far side: `ssh -R` for a connection. */
import { runDetached } from '../base/context.ts';
import { ElsewhereError } from '../base/errors.ts';
import { connectSocket, originals } from '../base/originals.ts';
import { type Remote, withRemote } from '../scope/with-remote.ts';
import { splice } from './splice.ts';

export interface ExposeOptions {
  /** The port over there. 0, the default, is any free one. */
  readonly remotePort?: number;
  /** The address over there, '127.0.0.1' by default: only that machine reaches it. '::' or '0.0.0.0' is everybody. */
  readonly remoteHost?: string;
  /** What is published: a port of this machine, a host and port reached from it, or the path of a unix socket. */
  readonly to: number | { readonly host: string; readonly port: number } | string;
  /** Stops it. */
  readonly signal?: AbortSignal;
}

/** A published port. The far side stops listening when it is closed or the connection is over. */
export interface ExposedPort {
  /** Where the far side listens. */
  readonly host: string;
  readonly port: number;
  /** Settles when it listens no more. */
  readonly closed: Promise<void>;
  /** Stops listening, and ends the connections that are open. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

type Server = ReturnType<typeof originals.net.createServer>;
type Socket = ReturnType<typeof connectSocket>;

/**
 * Listens on the far side and connects whoever comes there with `to` on this side. Rejects as `server.listen` fails:
 * EADDRINUSE, EACCES (with ERR_ELSEWHERE_DENIED as cause where the agent's policy forbids it).
 */
export function expose(conn: Remote, options: ExposeOptions): Promise<ExposedPort> {
  return openPort(conn, options, splice);
}

/** `joined` gets each socket that came over there, with the one that is being connected here. */
export async function openPort(
  conn: Remote,
  options: ExposeOptions,
  joined: (far: Socket, near: Socket) => void,
): Promise<ExposedPort> {
  const target = targetOf(options.to);
  options.signal?.throwIfAborted();
  const sockets = new Set<Socket>();
  const server = originals.net.createServer({ allowHalfOpen: true }, (far) => {
    const near = runDetached(() => connectSocket({ ...target, allowHalfOpen: true }));
    for (const socket of [far, near]) {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    }
    joined(far, near);
  });
  await listen(conn, server, options);
  const closed = new Promise<void>((resolve) => server.once('close', resolve));
  // A connection that is lost has said so itself.
  server.on('error', () => undefined);
  const close = (): Promise<void> => {
    server.close();
    for (const socket of sockets) socket.destroy();
    // Behind what closes the port over there.
    return closed.then(() => heard(conn));
  };
  options.signal?.addEventListener('abort', () => void close(), { once: true });
  const { address: host, port } = server.address() as { address: string; port: number };
  return { host, port, closed, close, [Symbol.asyncDispose]: close };
}

function heard({ channel }: Remote): Promise<void> {
  return new Promise((resolve) => {
    channel.request('session.ping', [], () => resolve());
  });
}

function targetOf(to: ExposeOptions['to']): { host: string; port: number } | { path: string } {
  if (typeof to === 'number') return { host: 'localhost', port: to };
  if (typeof to === 'string' && to !== '') return { path: to };
  if (typeof to === 'object' && to !== null) return { host: to.host, port: to.port };
  throw new ElsewhereError(
    'ERR_ELSEWHERE_ARGUMENT',
    'expose what? give { to: PORT }, { to: { host, port } } or { to: "/path/of.sock" }',
  );
}

function listen(conn: Remote, server: Server, options: ExposeOptions): Promise<void> {
  const { remotePort: port = 0, remoteHost: host = '127.0.0.1' } = options;
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    withRemote(conn, { patches: ['net'] }, () =>
      server.listen({ port, host }, () => {
        server.removeListener('error', reject);
        resolve();
      }),
    );
  });
}

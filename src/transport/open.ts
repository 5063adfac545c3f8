/** Dials an agent on ws:, wss:, tcp:, tls: and unix: endpoints. */
import type { Socket } from 'node:net';
import { hideActivity, hideDial } from '../base/activity.ts';
import { runLocally } from '../base/context.ts';
import { ElsewhereError } from '../base/errors.ts';
import { connectSocket } from '../base/originals.ts';
import { formatUrl } from './endpoint.ts';
import { introduce } from './introduction.ts';
import { socketTransport } from './socket.ts';
import { isSecure, secureConnection, TLS_REASONS, wrongKey } from './tls.ts';
import {
  type DialledEndpoint,
  type HostEndpoint,
  isRelayed,
  type Transport,
  type UnixEndpoint,
} from './transport.ts';

export interface OpenOptions {
  readonly signal?: AbortSignal;
  /** Milliseconds until the address is given up. */
  readonly timeout: number;
}

/** One attempt under way: `fail` and `abandon` come at most once. */
export interface Dial {
  readonly url: string;
  done(transport: Transport): void;
  fail(error: Error): void;
}

/** Rejects with ERR_ELSEWHERE_CONNECT (Node's error as cause), _TIMEOUT, or the signal's reason. */
export function openTransport(endpoint: DialledEndpoint, options: OpenOptions): Promise<Transport> {
  const url = formatUrl(endpoint, undefined);
  return new Promise((resolve, reject) => {
    const { signal } = options;
    let abandon: () => void = () => undefined;
    const stop = (error: unknown): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', aborted);
      reject(error);
    };
    const aborted = (): void => {
      abandon();
      stop(signal?.reason);
    };
    const timer = setTimeout(() => {
      abandon();
      stop(
        new ElsewhereError(
          'ERR_ELSEWHERE_TIMEOUT',
          `nothing answered at ${url} within ${options.timeout / 1000} s`,
        ),
      );
    }, options.timeout);
    if (signal?.aborted) return stop(signal.reason);
    signal?.addEventListener('abort', aborted, { once: true });
    const dial: Dial = {
      url,
      done: (transport) => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', aborted);
        resolve(transport);
      },
      fail: (error) => stop(unreachable(url, error)),
    };
    abandon =
      endpoint.scheme === 'ws' || endpoint.scheme === 'wss'
        ? dialWs(endpoint, dial)
        : runLocally(() => dialSocket(endpoint, dial));
  });
}

/** WebSockets are loaded by the first who dials one: they take longer than all the rest, and the preload runs in every process. */
function dialWs(endpoint: HostEndpoint, dial: Dial): () => void {
  let abandoned = false;
  let abandon = (): void => undefined;
  import('./ws-client.ts')
    .then((client) => {
      if (!abandoned) abandon = runLocally(() => client.dialWs(endpoint, dial));
    })
    .catch(dial.fail);
  return () => {
    abandoned = true;
    abandon();
  };
}

function dialSocket(endpoint: HostEndpoint | UnixEndpoint, dial: Dial): () => void {
  const opened = (socket: Socket): void => dial.done(socketTransport(socket, dial.url));
  return connectEndpoint(endpoint, (error, socket) => {
    if (error !== undefined || socket === undefined)
      return dial.fail(error ?? new Error('no socket'));
    if (!isRelayed(endpoint)) return opened(socket);
    const { name, token } = endpoint.relay;
    introduce(socket, token, { role: 'client', name, id: '' }, (refused, lines) => {
      if (refused !== undefined) {
        socket.destroy();
        return dial.fail(refused);
      }
      lines.release();
      opened(socket);
      socket.resume();
    });
  });
}

/** A socket to an endpoint's address, TLS and all. Returns what abandons it. */
export function connectEndpoint(
  endpoint: HostEndpoint | UnixEndpoint,
  done: (error: Error | undefined, socket?: Socket) => void,
): () => void {
  const target =
    endpoint.scheme === 'unix'
      ? { path: endpoint.path }
      : { host: endpoint.host, port: endpoint.port };
  hideDial(target);
  const plain = connectSocket(target);
  hideActivity(plain);
  const socket = isSecure(endpoint) ? secureConnection(plain, endpoint) : plain;
  socket.once('error', done);
  socket.once(isSecure(endpoint) ? 'secureConnect' : 'connect', () => {
    socket.off('error', done);
    done(undefined, socket);
  });
  return () => socket.destroy();
}

/** Why nobody could be reached at this address, as the user should be told. */
export function unreachable(url: string, error: Error): ElsewhereError {
  if (error instanceof ElsewhereError) return error;
  return new ElsewhereError(
    'ERR_ELSEWHERE_CONNECT',
    `no elsewhere agent at ${url}: ${reasonOf(error)}`,
    { cause: error },
  );
}

export function reasonOf(error: Error): string {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  return wrongKey(error) ?? REASONS[code] ?? error.message;
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused; start one there with `elsewhere serve`',
  ENOENT: 'no such socket; start one there with `elsewhere serve --listen unix:PATH`',
  EACCES: 'you may not open that socket',
  ENOTFOUND: 'there is no host of that name',
  ...TLS_REASONS,
};

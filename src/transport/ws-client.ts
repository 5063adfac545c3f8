/** Dials a ws: or wss: endpoint. */
import type { IncomingMessage } from 'node:http';
import type { connect, NetConnectOpts } from 'node:net';
import { WebSocket } from 'ws';
import { ElsewhereError } from '../base/errors.ts';
import { connectSocket } from '../base/originals.ts';
import { isLoopback } from './endpoint.ts';
import type { Dial } from './open.ts';
import { isSecure, secureConnection } from './tls.ts';
import type { HostEndpoint } from './transport.ts';
import { WS_OPTIONS, wsTransport } from './ws.ts';

/** Returns a function that gives it up. */
export function dialWs(endpoint: HostEndpoint, dial: Dial): () => void {
  // A mask protects old proxies from chosen bytes (RFC 6455 §5.3); on loopback there is none, inside TLS they see no
  // bytes, and masking costs 5 ms per MB.
  const masking = isLoopback(endpoint.host) || isSecure(endpoint) ? 'zeros' : 'random';
  const socket = new WebSocket(dial.url, {
    ...WS_OPTIONS,
    followRedirects: false,
    createConnection: connectionTo(endpoint),
    ...(masking === 'zeros' ? { generateMask: () => undefined } : {}),
  });
  let response: IncomingMessage | undefined;
  const failed = (error: Error): void =>
    dial.fail(response === undefined ? error : unexpected(dial.url, response));
  socket.once('error', failed);
  socket.on('unexpected-response', (_request, answer) => {
    response = answer;
    socket.terminate();
  });
  socket.on('upgrade', (answer) => (response = answer));
  socket.once('open', () => {
    socket.off('error', failed);
    const raw = (response as IncomingMessage).socket;
    dial.done(wsTransport(socket, raw, masking, dial.url));
  });
  return () => {
    socket.on('error', () => undefined);
    socket.terminate();
  };
}

/** As the ws package's own: the `path` in its options is the URL's, not a unix socket's. */
function connectionTo(endpoint: HostEndpoint): typeof connect {
  return ((options: NetConnectOpts) => {
    const socket = connectSocket({ ...options, path: undefined } as NetConnectOpts);
    return isSecure(endpoint) ? secureConnection(socket, endpoint) : socket;
  }) as typeof connect;
}

function unexpected(url: string, response: IncomingMessage): ElsewhereError {
  const { statusCode } = response;
  const why =
    statusCode === 403
      ? 'it refused this host name; use an IP address or localhost'
      : `it answered HTTP ${statusCode}, as something else would`;
  return new ElsewhereError('ERR_ELSEWHERE_CONNECT', `no elsewhere agent at ${url}: ${why}`);
}

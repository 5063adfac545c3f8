/** The HTTP or HTTPS server behind a ws: or wss: listener: lets our own clients upgrade and nobody else. The other importer of `ws`. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { originals } from '../base/originals.ts';
import { answerPost, type PostGate } from './http-post.ts';
import type { ListenOptions } from './listen.ts';
import { certificateOf, isSecure, reportFailures, serverSettings } from './tls.ts';
import type { Endpoint } from './transport.ts';
import { WS_OPTIONS, wsTransport } from './ws.ts';

/** Milliseconds from accept until the upgrade is done. */
const UPGRADE_TIMEOUT = 10_000;
const WHAT_THIS_IS = 'This is an elsewhere agent. It speaks its own protocol over a WebSocket.\n';
/** One answer for all that is refused, so that it tells nothing. */
const FORBIDDEN =
  'HTTP/1.1 403 Forbidden\r\nConnection: close\r\nCross-Origin-Resource-Policy: same-origin\r\nContent-Length: 0\r\n\r\n';

/** An HTTP server that is not listening yet. */
export function wsServer(endpoint: Endpoint, options: ListenOptions): Server {
  const settings = {
    maxHeaderSize: 8192,
    headersTimeout: 5000,
    requestTimeout: 5000,
    connectionsCheckingInterval: 1000,
    keepAliveTimeout: 1,
  };
  const server = isSecure(endpoint)
    ? originals.https.createServer({ ...settings, ...serverSettings(options.tls, options.psk) })
    : originals.http.createServer(settings);
  if (isSecure(endpoint)) reportFailures(server, options.refused);
  const upgrader = new WebSocketServer({ ...WS_OPTIONS, noServer: true, clientTracking: false });
  server.on(isSecure(endpoint) ? 'secureConnection' : 'connection', dropUnlessUpgraded);
  server.on('request', (request, response) => {
    const { post } = options;
    if (post !== undefined && request.method === 'POST')
      return void takePost(request, response, post, options);
    response.writeHead(426, {
      'Content-Type': 'text/plain',
      'Cross-Origin-Resource-Policy': 'same-origin',
      Connection: 'close',
      Upgrade: 'websocket',
    });
    response.end(WHAT_THIS_IS);
  });
  server.on('upgrade', (request, socket, head) =>
    upgrade(upgrader, endpoint, options, request, socket, head),
  );
  return server;
}

/** The same rules as for those who upgrade. */
async function takePost(
  request: IncomingMessage,
  response: ServerResponse,
  post: PostGate,
  options: ListenOptions,
): Promise<void> {
  const { socket, headers, url: path } = request;
  if (!options.admit({ method: 'GET', path, host: headers.host, origin: headers.origin })) {
    socket.end(FORBIDDEN);
    return;
  }
  const remote = `${socket.remoteAddress ?? '?'}:${socket.remotePort ?? 0}`;
  const { authorization } = headers;
  const sender = { authorization, remote, certificate: certificateOf(socket) };
  const gate: PostGate = async (who) => {
    const answerer = await post(who);
    // Its calls may take as long as anybody's.
    if (answerer !== undefined) upgraded.add(socket);
    return answerer;
  };
  try {
    await answerPost(request, response, gate, sender);
  } catch (error) {
    options.refused?.(remote, error as Error);
    response.destroy();
  }
}

const upgraded = new WeakSet<object>();

function dropUnlessUpgraded(socket: Socket): void {
  const timer = setTimeout(() => upgraded.has(socket) || socket.destroy(), UPGRADE_TIMEOUT);
  timer.unref();
  socket.once('close', () => clearTimeout(timer));
}

function upgrade(
  upgrader: WebSocketServer,
  endpoint: Endpoint,
  options: ListenOptions,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): void {
  const { method, url: path } = request;
  const { host, origin } = request.headers;
  if (!options.admit({ method, path, host, origin })) {
    socket.on('error', () => undefined);
    socket.end(FORBIDDEN);
    return;
  }
  upgrader.handleUpgrade(request, socket, head, (websocket) => {
    upgraded.add(socket);
    const raw = request.socket;
    const remote = `${raw.remoteAddress ?? '?'}:${raw.remotePort ?? 0}`;
    options.onTransport(
      wsTransport(websocket, raw, 'none', `${endpoint.scheme} client ${remote}`),
      {
        remote,
      },
    );
  });
}

/**
 * The HTTP side of a proxy: CONNECT for everything, and plain requests for http: URLs, which go on over keep-alive sockets
 * of the far side. It also hands out a PAC file.
 */
import type {
  Agent,
  IncomingMessage,
  OutgoingHttpHeaders,
  Server,
  ServerResponse,
} from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { originals } from '../base/originals.ts';
import { type Failure, failureOf } from './failure.ts';
import { type FarSide, HIGH_WATER } from './far-side.ts';
import { formatPlace, type HostPort, parseHostPort, peerOf } from './place.ts';
import type { ProxyEvent, Traffic } from './traffic.ts';

export const PAC_PATH = '/proxy.pac';

/** Of one connection only, so never handed on (RFC 9110 §7.6.1). */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'upgrade',
]);

export interface HttpSide {
  readonly server: Server;
  close(): void;
}

/** `pac` makes the text of the PAC file for a client that reached us at this address. */
export function httpSide(far: FarSide, traffic: Traffic, pac: (host: string) => string): HttpSide {
  const { http } = originals;
  const agent = new http.Agent({ keepAlive: true, noDelay: true } as object);
  const server = http.createServer({ noDelay: true, highWaterMark: HIGH_WATER } as object);
  const side = new Requests(far, traffic, agent, pac);
  server.on('request', (request, response) => side.request(request, response));
  server.on('connect', (request: IncomingMessage, socket: Duplex, head: Buffer) =>
    side.tunnel(request, socket as Socket, head),
  );
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) =>
    side.upgrade(request, socket as Socket, head),
  );
  server.on('clientError', (_error, socket) => {
    if (socket.writable) socket.end(plain(400, 'this is an HTTP proxy of elsewhere: send it HTTP'));
    else socket.destroy();
  });
  return { server, close: () => agent.destroy() };
}

class Requests {
  readonly #far: FarSide;
  readonly #traffic: Traffic;
  readonly #agent: Agent;
  readonly #pac: (host: string) => string;

  constructor(far: FarSide, traffic: Traffic, agent: Agent, pac: (host: string) => string) {
    this.#far = far;
    this.#traffic = traffic;
    this.#agent = agent;
    this.#pac = pac;
  }

  tunnel(request: IncomingMessage, near: Socket, head: Buffer): void {
    const place = parseHostPort(request.url ?? '');
    if (place === undefined)
      return void near.end(plain(400, `CONNECT needs HOST:PORT, not ${request.url}`));
    this.#join(near, place, (far) => {
      near.write('HTTP/1.1 200 Connection established\r\n\r\n');
      if (head.length > 0) far.write(head);
    });
  }

  /** A WebSocket by a plain request: its own head goes first. */
  upgrade(request: IncomingMessage, near: Socket, head: Buffer): void {
    const target = targetOf(request);
    if (target === undefined) return void near.end(plain(400, NOT_FOR_US));
    this.#join(near, target.place, (far) => {
      const headers = pairs(request.rawHeaders)
        .filter(([name]) => !/^proxy-/i.test(name))
        .map(([name, value]) => `${name}: ${value}\r\n`);
      far.write(`${request.method} ${target.path} HTTP/1.1\r\n${headers.join('')}\r\n`, 'latin1');
      if (head.length > 0) far.write(head);
    });
  }

  #join(near: Socket, place: HostPort, begin: (far: Socket) => void): void {
    const far = this.#far.connect(place);
    const event = eventOf(near, place);
    const abandon = (): void => void far.destroy();
    near.on('error', () => undefined);
    near.once('close', abandon);
    far.once('error', (error) => {
      near.off('close', abandon);
      const failure = failureOf(error, event);
      this.#traffic.failed({ ...event, failure: failure.text });
      if (!near.destroyed) near.end(plain(statusOf(failure), failure.text));
    });
    far.once('connect', () => {
      near.off('close', abandon);
      far.removeAllListeners('error');
      begin(far);
      this.#traffic.join(near, far, event);
    });
  }

  request(request: IncomingMessage, response: ServerResponse): void {
    const target = targetOf(request);
    if (target !== undefined) return this.#forward(request, response, target);
    const [path] = (request.url ?? '').split('?');
    if (path !== PAC_PATH) return answer(response, 400, NOT_FOR_US);
    response.setHeader('content-type', 'application/x-ns-proxy-autoconfig');
    response.end(this.#pac(request.socket.localAddress ?? '127.0.0.1'));
  }

  #forward(
    request: IncomingMessage,
    response: ServerResponse,
    { place, path, host }: Target,
  ): void {
    const headers = handedOn(request.rawHeaders, request.headers.connection, ['host']);
    const event = eventOf(request.socket, place);
    const upstream = this.#far.run(() =>
      originals.http.request({
        ...place,
        path,
        method: request.method ?? 'GET',
        // In this form each header stays as the client wrote it.
        headers: ['Host', host, ...headers] as unknown as OutgoingHttpHeaders,
        agent: this.#agent,
      }),
    );
    let [up, down] = [0, 0];
    upstream.once('response', (answered) => {
      const counted = this.#traffic.exchanged(event);
      const { statusCode = 502, statusMessage, rawHeaders } = answered;
      const dropped = ['transfer-encoding'];
      response.writeHead(
        statusCode,
        statusMessage,
        handedOn(rawHeaders, answered.headers.connection, dropped) as never,
      );
      answered.pipe(response);
      answered.on('data', (chunk: Buffer) => (down += chunk.length));
      answered.on('close', () => {
        counted(up, down);
        if (!answered.complete) response.destroy();
      });
    });
    upstream.once('error', (error) => {
      const failure = failureOf(error, event);
      this.#traffic.failed({ ...event, failure: failure.text });
      if (response.headersSent) response.destroy();
      else answer(response, statusOf(failure), failure.text);
    });
    request.on('data', (chunk: Buffer) => (up += chunk.length));
    request.pipe(upstream);
    response.once('close', () => {
      if (!response.writableFinished) upstream.destroy();
    });
  }
}

const NOT_FOR_US = `this is an HTTP proxy of elsewhere: set it as a proxy; its PAC file is at ${PAC_PATH}`;

interface Target {
  readonly place: HostPort;
  readonly path: string;
  /** As in the URL: what goes into the Host header. */
  readonly host: string;
}

/** Undefined for a request that is not for a proxy. */
function targetOf({ url = '' }: IncomingMessage): Target | undefined {
  const [, host = '', rest = ''] = /^http:\/\/([^/?#]+)(.*)$/i.exec(url) ?? [];
  // What stands before @ is nobody's business but the client's.
  const bare = host.slice(host.lastIndexOf('@') + 1);
  const place = parseHostPort(bare, 80);
  if (place === undefined) return undefined;
  return { place, path: rest.startsWith('/') ? rest : `/${rest}`, host: bare };
}

function statusOf({ code, denied }: Failure): number {
  if (denied) return 403;
  return code === 'ETIMEDOUT' ? 504 : 502;
}

function answer(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' });
  response.end(`${text}\n`);
}

/** A whole answer for a socket that has left the HTTP server. */
function plain(status: number, text: string): string {
  const line = `${text}\n`;
  return [
    `HTTP/1.1 ${status} ${originals.http.STATUS_CODES[status]}`,
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(line)}`,
    'Connection: close',
    '',
    line,
  ].join('\r\n');
}

/** The headers that go on to the other side, in a flat list. */
function handedOn(raw: readonly string[], connection = '', more: readonly string[] = []): string[] {
  const named = connection.split(',').map((name) => name.trim().toLowerCase());
  return pairs(raw)
    .filter(([name]) => {
      const lower = name.toLowerCase();
      return !HOP_BY_HOP.has(lower) && !named.includes(lower) && !more.includes(lower);
    })
    .flat();
}

function pairs(raw: readonly string[]): [string, string][] {
  const found: [string, string][] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) found.push([raw[at] ?? '', raw[at + 1] ?? '']);
  return found;
}

function eventOf(socket: Socket, place: HostPort): ProxyEvent {
  return { kind: 'http', from: peerOf(socket), to: formatPlace(place) };
}

/** Links over real sockets: both ends as transports, or one end as a bare socket that says what it likes. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { parseEndpoint } from '../../src/transport/endpoint.ts';
import { listen } from '../../src/transport/listen.ts';
import { openTransport } from '../../src/transport/open.ts';
import { isSecure } from '../../src/transport/tls.ts';
import type { Listener, Transport } from '../../src/transport/transport.ts';
import { agent, authority } from '../kit/certificates.ts';

export interface Links {
  pair(): Promise<[near: Transport, far: Transport]>;
  /** The accepting end, and a socket that has connected to it. */
  raw(): Promise<[far: Transport, peer: Socket]>;
  close(): Promise<void>;
}

export async function listenOn(url: string): Promise<Links> {
  const arrivals: Transport[] = [];
  const waiting: ((transport: Transport) => void)[] = [];
  const listener: Listener = await listen(parseEndpoint(url, 'listen'), {
    onTransport: (transport) => {
      const next = waiting.shift();
      if (next === undefined) arrivals.push(transport);
      else next(transport);
    },
    admit: () => true,
    tls: agent,
  });
  const endpoint = { ...parseEndpoint(listener.url, 'listen'), tls: { ca: authority } };
  const accepted = (): Promise<Transport> => {
    const there = arrivals.shift();
    if (there !== undefined) return Promise.resolve(there);
    return new Promise((resolve) => waiting.push(resolve));
  };
  return {
    pair: async () => {
      const near = await openTransport(endpoint, { timeout: 5000 });
      return [near, await accepted()];
    },
    raw: async () => {
      const peer =
        endpoint.scheme === 'unix'
          ? connect({ path: endpoint.path })
          : isSecure(endpoint)
            ? connectTls({ host: endpoint.host, port: endpoint.port, ca: authority })
            : connect({ host: endpoint.host, port: endpoint.port });
      peer.on('error', () => undefined);
      await once(peer, isSecure(endpoint) ? 'secureConnect' : 'connect');
      if (endpoint.scheme === 'ws' || endpoint.scheme === 'wss') await upgrade(peer);
      return [await accepted(), peer];
    },
    close: () => listener.close(),
  };
}

async function upgrade(peer: Socket): Promise<void> {
  peer.write(
    'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n',
  );
  await once(peer, 'data');
}

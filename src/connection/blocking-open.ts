/** Dials the sync lane: a socket of this thread's own where the system can, a worker thread elsewhere. */
import { canBlock } from '../base/native-sockets.ts';
import { originals } from '../base/originals.ts';
import { formatUrl } from '../transport/endpoint.ts';
import type { Endpoint } from '../transport/transport.ts';
import type { BlockingLink } from './blocking.ts';
import { BlockingSocket, FramedLink } from './blocking-socket.ts';
import { BlockingWs } from './blocking-ws.ts';
import { openWorkerLink } from './worker-link.ts';

export interface BlockingOptions {
  /** Milliseconds until the address is given up (by the worker; the system's own limit for the socket). */
  readonly timeout: number;
  readonly prefer?: 'socket' | 'worker';
}

/** Throws ERR_ELSEWHERE_CONNECT or _CONNECTION_LOST. */
export function openBlocking(endpoint: Endpoint, options: BlockingOptions): BlockingLink {
  const here = numeric(endpoint);
  if (options.prefer === 'worker' || here === undefined || !canBlock())
    return openWorkerLink(endpoint, options.timeout);
  const socket = new BlockingSocket(here, formatUrl(here, undefined));
  try {
    return here.scheme === 'ws' ? new BlockingWs(socket, here) : new FramedLink(socket);
  } catch (error) {
    socket.close();
    throw error;
  }
}

/** A name cannot be looked up without the event loop, but for the one that every machine knows. */
function numeric(endpoint: Endpoint): Endpoint | undefined {
  if (endpoint.scheme === 'unix') return endpoint;
  if (endpoint.host === 'localhost') return { ...endpoint, host: '127.0.0.1' };
  return originals.net.isIP(endpoint.host) === 0 ? undefined : endpoint;
}

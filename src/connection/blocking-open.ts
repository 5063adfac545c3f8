/** Dials the sync lane: a socket of this thread's own where the system can, a worker thread elsewhere. */
import { canBlock } from '../base/native-sockets.ts';
import { originals } from '../base/originals.ts';
import { isSecure } from '../transport/tls.ts';
import { type DialledEndpoint, type Endpoint, isRelayed } from '../transport/transport.ts';
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
export function openBlocking(endpoint: DialledEndpoint, options: BlockingOptions): BlockingLink {
  const addresses = numeric(endpoint);
  if (
    isSecure(endpoint) ||
    isRelayed(endpoint) ||
    options.prefer === 'worker' ||
    addresses.length === 0 ||
    !canBlock()
  )
    return openWorkerLink(endpoint, options.timeout);
  return firstOf(addresses, openSocket);
}

/** For people: what a thread that makes a blocking call waits on. */
export function blockingKind(endpoint: Endpoint): string {
  const addressed = endpoint.scheme === 'exec' || endpoint.scheme === 'ssh' ? undefined : endpoint;
  if (addressed === undefined || isSecure(addressed) || isRelayed(addressed) || !canBlock())
    return 'a worker thread';
  return numeric(addressed).length === 0
    ? 'a socket of its own at the address that the name was found to have'
    : 'a socket of its own';
}

function openSocket(here: DialledEndpoint): BlockingLink {
  const socket = new BlockingSocket(here);
  try {
    return here.scheme === 'ws' ? new BlockingWs(socket, here) : new FramedLink(socket);
  } catch (error) {
    socket.close();
    throw error;
  }
}

/** A name cannot be looked up without the event loop, but for the one that every machine knows. */
function numeric(endpoint: DialledEndpoint): DialledEndpoint[] {
  if (endpoint.scheme === 'unix') return [endpoint];
  if (endpoint.host === 'localhost')
    return ['127.0.0.1', '::1'].map((host) => ({ ...endpoint, host }));
  return originals.net.isIP(endpoint.host) === 0 ? [] : [endpoint];
}

/** The first that opens; if none does, what was wrong with the first. */
function firstOf(
  endpoints: readonly DialledEndpoint[],
  open: (endpoint: DialledEndpoint) => BlockingLink,
): BlockingLink {
  const failures: unknown[] = [];
  for (const endpoint of endpoints) {
    try {
      return open(endpoint);
    } catch (error) {
      failures.push(error);
    }
  }
  throw failures[0];
}

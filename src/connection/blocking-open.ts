/** Dials the sync lane: a socket of this thread's own where the system can, through a worker thread elsewhere. */
import { canBlock } from '../base/native-sockets.ts';
import { originals } from '../base/originals.ts';
import { isSecure } from '../transport/tls.ts';
import { type DialledEndpoint, type Endpoint, isRelayed } from '../transport/transport.ts';
import type { BlockingLink } from './blocking.ts';
import { BlockingSocket, FramedLink } from './blocking-socket.ts';
import { BlockingWs } from './blocking-ws.ts';
import { openPortLink, type Relay, START, startRelay } from './worker-link.ts';

export interface BlockingOptions {
  /** Milliseconds until the address is given up (by the worker; the system's own limit for the socket). */
  readonly timeout: number;
  readonly prefer?: 'socket' | 'worker';
}

/** A thread that dials, and whether it has got so far as to tell anything. */
interface Dialling extends Relay {
  readonly endpoint: DialledEndpoint;
  started: boolean;
}

/** Dials one link after another. The thread that they may need is started once, and keeps what it learns of the agent. */
export class BlockingDialler {
  readonly #options: BlockingOptions;
  #relay: Dialling | undefined;

  constructor(options: BlockingOptions) {
    this.#options = options;
  }

  /** Throws ERR_ELSEWHERE_CONNECT or _CONNECTION_LOST. */
  open(endpoint: DialledEndpoint): BlockingLink {
    const addresses = numeric(endpoint);
    const byWorker =
      isSecure(endpoint) ||
      isRelayed(endpoint) ||
      this.#options.prefer === 'worker' ||
      addresses.length === 0 ||
      !canBlock();
    return byWorker ? this.#openByWorker(endpoint) : firstOf(addresses, openSocket);
  }

  #openByWorker(endpoint: DialledEndpoint): BlockingLink {
    const { timeout } = this.#options;
    const relay = this.#relayTo(endpoint);
    // The worker gives up dialling by itself, and says so; then somebody may be there who says nothing.
    return openPortLink(relay.port, relay.started ? 2 * timeout : timeout + START, {
      heard: () => {
        relay.started = true;
      },
      silent: () => {
        if (this.#relay === relay && !relay.started) this.close();
      },
    });
  }

  #relayTo(endpoint: DialledEndpoint): Dialling {
    const known = this.#relay;
    if (known !== undefined && isSameAddress(known.endpoint, endpoint)) return known;
    this.close();
    const relay = startRelay(endpoint, this.#options.timeout);
    this.#relay = { ...relay, endpoint, started: false };
    return this.#relay;
  }

  /** Ends the thread, and the links that go through it. */
  close(): void {
    this.#relay?.close();
    this.#relay = undefined;
  }
}

/** Of one and the same agent, which may have moved. */
function isSameAddress(one: DialledEndpoint, other: DialledEndpoint): boolean {
  return one.scheme === 'unix' || other.scheme === 'unix' || one.host === other.host;
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

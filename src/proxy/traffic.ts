/** What passes through a proxy, counted. */
import type { Socket } from 'node:net';
import { breakOff, splice } from '../service/splice.ts';
import { failureOf } from './failure.ts';

/** Figures of a proxy since it began. */
export interface ProxyStats {
  /** Connections that are open, UDP associations among them. */
  readonly open: number;
  /** All that were connected. */
  readonly total: number;
  /** Those that could not be: refused, not found, denied. */
  readonly failed: number;
  /** Bytes towards the far side, and from there. */
  readonly bytesUp: number;
  readonly bytesDown: number;
  /** Datagrams towards the far side, and from there. */
  readonly datagramsUp: number;
  readonly datagramsDown: number;
}

export type ProxyKind = 'socks' | 'http' | 'forward' | 'reverse' | 'udp';

/** One connection, told when it was opened or has failed. */
export interface ProxyEvent {
  readonly kind: ProxyKind;
  /** Who asked, as host:port. */
  readonly from: string;
  /** For whom. */
  readonly to: string;
  /** Absent when it was opened. */
  readonly failure?: string;
}

export class Traffic {
  readonly #told: (event: ProxyEvent) => void;
  readonly #pairs = new Map<Socket, Socket>();
  #associations = 0;
  #total = 0;
  #failed = 0;
  /** Of connections that are over, and of datagrams. */
  #up = 0;
  #down = 0;
  #datagramsUp = 0;
  #datagramsDown = 0;

  constructor(told: (event: ProxyEvent) => void = () => undefined) {
    this.#told = told;
  }

  /**
   * From now on what one receives is the other's; one of them may still be connecting. `near` is the one on this side.
   * What is told of it is whether it was connected.
   */
  join(near: Socket, far: Socket, event: ProxyEvent): void {
    this.#pairs.set(near, far);
    near.once('close', () => {
      this.#pairs.delete(near);
      this.#up += near.bytesRead;
      this.#down += near.bytesWritten;
    });
    const connecting = [near, far].find((socket) => socket.connecting);
    if (connecting === undefined) this.#opened(event);
    else this.#await(connecting, event);
    splice(near, far);
  }

  #await(socket: Socket, event: ProxyEvent): void {
    const fail = (error: Error): void => {
      const { text } = failureOf(error, event);
      this.failed({ ...event, failure: text });
    };
    socket.once('error', fail);
    socket.once('connect', () => {
      socket.off('error', fail);
      this.#opened(event);
    });
  }

  #opened(event: ProxyEvent): void {
    this.#total++;
    this.#told(event);
  }

  failed(event: ProxyEvent): void {
    this.#failed++;
    this.#told(event);
  }

  /** An exchange of `up` and `down` bytes that was not joined. */
  exchanged(event: ProxyEvent): (up: number, down: number) => void {
    this.#opened(event);
    return (up, down) => {
      this.#up += up;
      this.#down += down;
    };
  }

  /** A UDP association. Returns what ends it. */
  associated(event: ProxyEvent): () => void {
    this.#associations++;
    this.#opened(event);
    return () => void this.#associations--;
  }

  datagram(direction: 'up' | 'down', bytes: number): void {
    if (direction === 'up') {
      this.#datagramsUp++;
      this.#up += bytes;
    } else {
      this.#datagramsDown++;
      this.#down += bytes;
    }
  }

  stats(): ProxyStats {
    let [bytesUp, bytesDown] = [this.#up, this.#down];
    for (const near of this.#pairs.keys()) {
      bytesUp += near.bytesRead;
      bytesDown += near.bytesWritten;
    }
    return {
      open: this.#pairs.size + this.#associations,
      total: this.#total,
      failed: this.#failed,
      bytesUp,
      bytesDown,
      datagramsUp: this.#datagramsUp,
      datagramsDown: this.#datagramsDown,
    };
  }

  /** Ends every connection. */
  close(): void {
    for (const [near, far] of this.#pairs) {
      breakOff(near);
      breakOff(far);
    }
  }
}

/**
 * What the two halves of the server patch say to each other. The near side asks for a port and gets a number for it, then
 * holds it by a stream. For each connection to come it keeps a slot open, another stream: so what the far side accepts
 * travels with its first bytes in one flight, and the far side can open nothing by itself.
 */
import type { RemoteStream } from '../../../src/patch.ts';
import type { Address, Report } from '../api.ts';

export interface Place {
  /** Absent: any, IPv6 where there is IPv6, as Node does. */
  readonly address?: string;
  readonly port?: number;
  /** A unix socket. */
  readonly path?: string;
  /** The scope's mask for it; absent: the far side's own. */
  readonly umask?: number;
  readonly backlog: number;
  readonly ipv6Only: boolean;
  readonly reusePort: boolean;
}

export interface Listening {
  readonly id: number;
  /** Absent for a unix socket. */
  readonly address?: Address;
}

export interface Refused {
  readonly code: string;
  /** The address that was tried last. */
  readonly address?: string;
  /** The rule of the far side that forbids it. */
  readonly denied?: string;
}

export interface ServerCalls {
  listen(place: Place): Listening | Refused;
  /** Lets everybody read from or write to a unix socket. The code of what failed, or null. */
  publish(id: number, readable: boolean, writable: boolean): string | null;
}

export interface ServerStreams {
  /** Its end closes the server. */
  hold(stream: RemoteStream, id: number): void;
  /** Becomes the next connection that is accepted. */
  slot(stream: RemoteStream, id: number): void;
}

/** On the holding stream: the far side could not accept a connection. */
export interface AcceptFailed {
  readonly code: string;
}

/** First on a slot; after it the stream is that of a socket (see Report). */
export type Accepted = Omit<Report & { kind: 'connected' }, 'took'> & {
  /** How many more connections wait for a slot. */
  readonly waiting: number;
};

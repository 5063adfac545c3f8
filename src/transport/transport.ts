/**
 * A transport carries packets between two peers, in order, until it closes. It knows nothing of sessions, sequence
 * numbers or authentication. One transport = one file; all of them pass test/transport/suite.ts.
 */

/** What a transport tells its owner. Never called before the owner has set it, nor synchronously inside `send`. */
export interface TransportEvents {
  /** One whole packet. `body` is only valid during the call unless `owned` is true: then the receiver may keep it. */
  packet(kind: number, body: Uint8Array, owned: boolean): void;
  /** `buffered` fell to zero after `send` returned false. */
  drain(): void;
  /** The last event. `error` says why, when it was not a plain end; a protocol violation closes with ERR_ELSEWHERE_PROTOCOL. */
  close(error: Error | undefined): void;
}

export interface Transport {
  /** For people: 'ws://127.0.0.1:4000', 'unix:/run/x.sock', 'memory'. */
  readonly description: string;
  /** Bytes accepted by `send` that the kernel (or the peer, in memory) has not taken yet. */
  readonly buffered: number;
  /** Bytes that have come from the peer in all, whole packets or not; undefined where that cannot be told. */
  readonly bytesRead?: number;
  /** Address of the peer as a numeric IP or socket path where there is one: the blocking lane dials the same. */
  readonly remote:
    | { readonly host?: string; readonly port?: number; readonly path?: string }
    | undefined;
  /** Packets received before this is set are kept. Setting it again hands over to the new owner. */
  events: TransportEvents | undefined;
  /**
   * Sends one packet: kind, then `head` and `tail` as one body. Neither array may be changed by the caller afterwards.
   * False when the caller should wait for `drain`; the packet is accepted all the same. Ignored once closed.
   */
  send(kind: number, head: Uint8Array, tail?: Uint8Array): boolean;
  /** Largest packet body accepted from the peer from now on, in bytes; larger ones close the transport. Starts at Limit.HANDSHAKE. */
  setLimit(bytes: number): void;
  /** Stops and starts reading from the peer. */
  pause(): void;
  resume(): void;
  /** Ends after what was accepted has been sent; `close` follows. At most 2 s, then it is torn down. */
  close(): void;
  /** Ends at once. */
  destroy(error?: Error): void;
  /** Whether the transport keeps the process alive. */
  ref(): void;
  unref(): void;
}

/** Accepts transports. */
export interface Listener {
  /** Where peers can dial, with the real port: 'ws://127.0.0.1:34567', 'unix:/path'. No token in it. */
  readonly url: string;
  /** Stops accepting; the transports that exist go on. */
  close(): Promise<void>;
  ref(): void;
  unref(): void;
}

/** A parsed endpoint. `token` comes from the URL's fragment, which never travels. */
export type Endpoint = HostEndpoint<'ws'> | HostEndpoint<'tcp'> | UnixEndpoint;

export interface HostEndpoint<S extends string> {
  readonly scheme: S;
  readonly host: string;
  readonly port: number;
  readonly token: string | undefined;
}

export interface UnixEndpoint {
  readonly scheme: 'unix';
  readonly path: string;
  readonly token: string | undefined;
}

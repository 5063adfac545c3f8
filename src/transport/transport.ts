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

/** Takes what a transport that was replaced may still have to say. */
export const NOBODY: TransportEvents = {
  packet: () => undefined,
  drain: () => undefined,
  close: () => undefined,
};

export interface Transport {
  /** For people: 'ws://127.0.0.1:4000', 'unix:/run/x.sock', 'memory'. */
  readonly description: string;
  /** Bytes accepted by `send` that the kernel (or the peer, in memory) has not taken yet. */
  readonly buffered: number;
  /** Bytes that have come from the peer in all, whole packets or not; undefined where that cannot be told. */
  readonly bytesRead?: number;
  /** What is buffered can only leave with the event loop's help, even if the kernel would take it: so it is with TLS. */
  readonly stuck?: boolean;
  /** Address of the peer as a numeric IP or socket path where there is one: the blocking lane dials the same. */
  readonly remote:
    | { readonly host?: string; readonly port?: number; readonly path?: string }
    | undefined;
  /** What the peer showed in a TLS handshake that asked for it, once verified. */
  readonly certificate?: PeerCertificate | undefined;
  /** Packets received before this is set are kept. Setting it again hands over to the new owner. */
  events: TransportEvents | undefined;
  /**
   * Sends one packet: kind, then `head` and `tail` as one body. Neither array may be changed by the caller afterwards.
   * False when the caller should wait for `drain`; the packet is accepted all the same. Ignored once closed.
   */
  send(kind: number, head: Uint8Array, tail?: Uint8Array): boolean;
  /** Between `true` and `false`, packets that are sent may leave as one. */
  cork?(on: boolean): void;
  /** Largest packet body accepted from the peer from now on, in bytes; larger ones close the transport. Starts at Limit.HANDSHAKE. */
  setLimit(bytes: number): void;
  /**
   * From now on a packet of kind ALIVE leaves at least once in `interval` milliseconds while this thread is busy, where that
   * is possible (pulse.ts).
   */
  signsOfLife?(interval: number): void;
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

export interface PeerCertificate {
  /** Its common name. */
  readonly subject: string;
  /** SHA-256 in hex. */
  readonly fingerprint: string;
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

/** How the agent of a tls: or wss: URL is verified, and what this side shows it. */
export interface TlsClientOptions {
  /** PEM of the authorities to trust, in place of Node's own list. */
  readonly ca?: string | Uint8Array | readonly (string | Uint8Array)[];
  /** PEM of a certificate and its key, for an agent that asks for one (mTLS). */
  readonly cert?: string | Uint8Array;
  readonly key?: string | Uint8Array;
  readonly passphrase?: string;
  /**
   * SHA-256 of the agent's certificate, in hex with or without colons, as `openssl x509 -fingerprint -sha256` prints it:
   * this very certificate and no other is believed, whoever signed it and whatever name and date it bears.
   */
  readonly pin?: string;
  /**
   * The agent has no certificate: it is who knows the token, and so are we (TLS 1.3 with a pre-shared key made of it).
   * The agent must say so too. Default false.
   */
  readonly psk?: boolean;
  /** false: any certificate is believed, so that whoever is on the way can read and change everything. Default true. */
  readonly rejectUnauthorized?: boolean;
  /** The name that the certificate must be for. Default: the host of the URL. */
  readonly servername?: string;
}

/** A parsed endpoint. `token` comes from the URL's fragment, which never travels. */
export type Endpoint = HostEndpoint | UnixEndpoint | CommandEndpoint | SshEndpoint;
/** What has an address to dial, again and again. */
export type DialledEndpoint = HostEndpoint | UnixEndpoint;

/** An agent on the standard streams of a command of this machine. */
export interface CommandEndpoint {
  readonly scheme: 'exec';
  readonly command: string;
  readonly token: undefined;
}

/** An agent that is sent over ssh and started there. */
export interface SshEndpoint {
  readonly scheme: 'ssh';
  readonly host: string;
  readonly user: string | undefined;
  readonly port: number | undefined;
  /** Where the agent works; default: the home directory. */
  readonly cwd: string | undefined;
  readonly token: undefined;
  readonly ssh?: SshOptions;
}

export interface SshOptions {
  /** More arguments for `ssh`, before the host: `['-i', 'key', '-o', 'BatchMode=yes']`. */
  readonly args?: readonly string[];
  /** The node program over there. Default 'node'. */
  readonly node?: string;
}

export interface HostEndpoint {
  readonly scheme: 'ws' | 'wss' | 'tcp' | 'tls';
  readonly host: string;
  readonly port: number;
  /** Whose password the token is. */
  readonly user?: string;
  readonly token: string | undefined;
  /** For wss: and tls:, plain data: it is handed to other threads too. */
  readonly tls?: TlsClientOptions;
  /** The address is that of a relay (relay: and relays:), where the agent is known by this name. */
  readonly relay?: { readonly name: string; readonly token: string };
  /** In hex, where TLS is by a pre-shared key. */
  readonly psk?: string;
}

export type RelayedEndpoint = HostEndpoint & { readonly relay: NonNullable<HostEndpoint['relay']> };

export function isRelayed(endpoint: Endpoint): endpoint is RelayedEndpoint {
  return 'relay' in endpoint && endpoint.relay !== undefined;
}

export interface UnixEndpoint {
  readonly scheme: 'unix';
  readonly path: string;
  readonly token: string | undefined;
}

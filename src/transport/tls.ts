/** TLS around the sockets of tls: and wss:. Nothing is sent to an agent that is not verified. */
import type { Server, Socket } from 'node:net';
import type { ConnectionOptions, TLSSocket, TlsOptions } from 'node:tls';
import { ElsewhereError } from '../base/errors.ts';
import { originals } from '../base/originals.ts';
import type { Endpoint, HostEndpoint, PeerCertificate } from './transport.ts';

/** What the agent of a tls: or wss: listener shows, and asks of its clients. */
export interface TlsServerOptions {
  /** PEM of the certificate, with its chain. */
  readonly cert?: string | Uint8Array;
  readonly key?: string | Uint8Array;
  /**
   * No certificate: whoever knows the agent's own token proves it in the TLS handshake already (TLS 1.3 with a pre-shared
   * key made of it), and so does the agent. Clients connect with `tls: { psk: true }`. Default false.
   */
  readonly psk?: boolean;
  readonly passphrase?: string;
  /** PEM of the authorities that sign the certificates of clients. */
  readonly ca?: string | Uint8Array | readonly (string | Uint8Array)[];
  /** Whether clients must show a certificate that `ca` has signed. Default: true where there is a `ca`. */
  readonly requestCert?: boolean;
}

/** With a fresh exchange of keys: who learns the token later reads nothing of what was recorded. */
const BY_KEY = { ciphers: 'TLS_AES_128_GCM_SHA256', minVersion: 'TLSv1.3' } as const;
const IDENTITY = 'elsewhere';

/** Milliseconds that a client may take for its handshake. */
const HANDSHAKE_TIMEOUT = 10_000;

export function isSecure(endpoint: Endpoint): endpoint is HostEndpoint & { scheme: 'tls' | 'wss' } {
  return endpoint.scheme === 'tls' || endpoint.scheme === 'wss';
}

/**
 * The newest ticket of each agent that was verified: whoever dials it again by the same endpoint shakes hands without
 * certificates (RFC 8446 §2.2), at a third of the price. An agent that does not know it any more asks for the whole.
 */
const tickets = new WeakMap<HostEndpoint, Buffer>();

/** Speaks TLS on a socket that is connecting. 'secureConnect' comes once the agent is verified; 'error' says why it is not. */
export function secureConnection(socket: Socket, endpoint: HostEndpoint): TLSSocket {
  if (endpoint.psk !== undefined) return keyedConnection(socket, endpoint, endpoint.psk);
  const { pin, servername, psk: _no, ...settings } = endpoint.tls ?? {};
  const name = servername ?? endpoint.host;
  const isName = originals.net.isIP(name) === 0;
  const expected = pin === undefined ? undefined : fingerprint(pin);
  const secure = originals.tls.connect({
    ...(settings as ConnectionOptions),
    socket,
    host: name,
    // RFC 6066 §3: an address is no server name.
    ...(isName ? { servername: name } : {}),
    minVersion: 'TLSv1.2',
    rejectUnauthorized: expected === undefined && settings.rejectUnauthorized !== false,
    session: tickets.get(endpoint),
  });
  secure.on('session', (ticket) => {
    if (!secure.destroyed) tickets.set(endpoint, ticket);
  });
  // Errors before the connection are the plain socket's; some are told twice, and whoever gave up listens no more.
  socket.on('error', (error) => secure.destroy(error));
  secure.on('error', () => undefined);
  if (expected !== undefined)
    secure.prependOnceListener('secureConnect', () => checkPin(secure, expected));
  return secure;
}

function keyedConnection(socket: Socket, { host }: HostEndpoint, key: string): TLSSocket {
  const psk = Buffer.from(key, 'hex');
  const secure = originals.tls.connect({
    ...BY_KEY,
    socket,
    host,
    pskCallback: () => ({ psk, identity: IDENTITY }),
    // There is no certificate to look at: who knows the key is the agent.
    checkServerIdentity: () => undefined,
  });
  socket.on('error', (error) => secure.destroy(error));
  secure.on('error', () => undefined);
  return secure;
}

function checkPin(secure: TLSSocket, expected: string): void {
  const shown = secure.getPeerCertificate().fingerprint256?.replaceAll(':', '').toLowerCase();
  if (shown === expected) return;
  // Whoever waits for it must not take this socket for a good one.
  secure.removeAllListeners('secureConnect');
  secure.destroy(
    new ElsewhereError(
      'ERR_ELSEWHERE_AUTH',
      `the agent's certificate is not the pinned one: it has the SHA-256 ${shown ?? '(none)'}`,
    ),
  );
}

/** Throws ERR_ELSEWHERE_ARGUMENT for what cannot be a SHA-256. */
export function fingerprint(pin: string): string {
  const hex = pin
    .replace(/^sha-?256[:=/]/i, '')
    .replaceAll(':', '')
    .toLowerCase();
  if (/^[0-9a-f]{64}$/.test(hex)) return hex;
  throw new ElsewhereError(
    'ERR_ELSEWHERE_ARGUMENT',
    'tls.pin needs the SHA-256 of a certificate in hex, as `openssl x509 -noout -fingerprint -sha256` prints it',
  );
}

/** What the other end of an accepted socket has shown, if an authority of ours has signed it. */
export function certificateOf(socket: Socket): PeerCertificate | undefined {
  const { authorized, getPeerCertificate } = socket as Partial<TLSSocket>;
  if (authorized !== true || getPeerCertificate === undefined) return undefined;
  const shown = getPeerCertificate.call(socket);
  if (shown.fingerprint256 === undefined) return undefined;
  const { CN } = shown.subject ?? {};
  return {
    subject: String(CN ?? ''),
    fingerprint: shown.fingerprint256.replaceAll(':', '').toLowerCase(),
  };
}

/** For node:tls and node:https. Throws ERR_ELSEWHERE_ARGUMENT where something is missing. */
export function serverSettings(options: TlsServerOptions | undefined, psk?: Buffer): TlsOptions {
  if (options?.psk === true && psk !== undefined) return keyedSettings(options, psk);
  if (options?.cert === undefined || options.key === undefined)
    throw new ElsewhereError(
      'ERR_ELSEWHERE_ARGUMENT',
      'a tls: or wss: listener needs a certificate and its key: tls: { cert, key }, or --tls-cert and --tls-key',
    );
  const { requestCert = options.ca !== undefined, ...settings } = options;
  if (requestCert && options.ca === undefined)
    throw new ElsewhereError(
      'ERR_ELSEWHERE_ARGUMENT',
      'to ask clients for a certificate, say which authority signs them: tls: { ca }',
    );
  return {
    ...(settings as TlsOptions),
    requestCert,
    rejectUnauthorized: requestCert,
    minVersion: 'TLSv1.2',
    handshakeTimeout: HANDSHAKE_TIMEOUT,
  };
}

function keyedSettings(options: TlsServerOptions, psk: Buffer): TlsOptions {
  if (options.cert !== undefined || options.ca !== undefined)
    throw new ElsewhereError(
      'ERR_ELSEWHERE_ARGUMENT',
      'tls: { psk: true } is in place of certificates: leave cert, key and ca out',
    );
  return {
    ...BY_KEY,
    pskCallback: (_socket, identity) => (identity === IDENTITY ? psk : null),
    handshakeTimeout: HANDSHAKE_TIMEOUT,
  };
}

/** What of Node's own is looked at to learn where written bytes are. */
interface WritableInside {
  readonly encrypted?: boolean;
  readonly _writableState?: { readonly bufferedRequestCount?: number };
  readonly _handle?: { readonly _parent?: { readonly writeQueueSize?: number } } | null;
}

/** One write of TLS leaves at once if it is not larger: ten buffers of node_crypto_bio.h, with room for headers. */
const LEAVES_AT_ONCE = 65_536;

/**
 * Bytes that the kernel has not taken. A TLS socket counts a write until the next turn of the event loop, though it was
 * encrypted and handed over at once.
 */
export function unsent(socket: Socket): number {
  const { writableLength } = socket;
  const { encrypted, _handle } = socket as unknown as WritableInside;
  if (encrypted !== true || isStuck(socket) || writableLength > LEAVES_AT_ONCE)
    return writableLength;
  return _handle?._parent?.writeQueueSize === 0 ? 0 : writableLength;
}

/** Whether writes wait for the end of an earlier one, of which only the event loop tells. */
export function isStuck(socket: Socket): boolean {
  const { encrypted, _writableState } = socket as unknown as WritableInside;
  return encrypted === true && (_writableState?.bufferedRequestCount ?? 0) > 0;
}

/** Tells of clients that failed before there was a transport. */
export function reportFailures(
  server: Server,
  refused: ((remote: string, error: Error) => void) | undefined,
): void {
  server.on('tlsClientError', (error: Error, socket: TLSSocket) => {
    // Node ends a client whose certificate it does not accept as if that one had hung up.
    const certificate = socket.authorizationError as Error | string | null | undefined;
    const why = certificate
      ? new Error(`its certificate was refused: ${String(certificate)}`)
      : error;
    refused?.(`${socket.remoteAddress ?? '?'}:${socket.remotePort ?? 0}`, why);
    socket.destroy();
  });
}

const UNTRUSTED =
  'its certificate is not signed by an authority that this side trusts; give tls.ca, or tls.pin for a self-signed one';

/** The agent's alert says that our key is not its own; its code differs with OpenSSL's release, and with who writes first. */
export function wrongKey(error: Error): string | undefined {
  return /alert (?:illegal parameter|decrypt error)/.test(error.message)
    ? 'with tls.psk both sides must know the same token, and it knows another one'
    : undefined;
}

/** Why a link could not be made secure, by the code of Node's error, as the user should be told. */
export const TLS_REASONS: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: UNTRUSTED,
  SELF_SIGNED_CERT_IN_CHAIN: UNTRUSTED,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNTRUSTED,
  CERT_HAS_EXPIRED: 'its certificate has expired',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS there',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'it does not speak TLS there',
};

/**
 * The handshake of a link, without I/O. Nothing of an unauthenticated peer is read but these small JSON messages, and
 * none of them reaches msgpack. See docs/protocol.md.
 */
import { ElsewhereError } from '../base/errors.ts';
import type { PeerInfo } from '../connection/channel.ts';
import type { HandshakePacket, HandshakeStep } from '../connection/handshake-steps.ts';
import { newNonce, proof, sameProof } from '../security/auth.ts';
import { Kind, PROTOCOL_NAME, PROTOCOL_VERSION } from '../wire/message.ts';

export type LaneName = 'main' | 'sync';
type Fields = Readonly<Record<string, unknown>>;

export interface ClientHandshakeOptions {
  readonly key: Buffer;
  readonly session: string;
  readonly lane: LaneName;
  /** Facts about this process, told once authenticated. */
  readonly self: PeerInfo;
}

/** The dialling side. Returns the agent's facts; throws _AUTH, _VERSION or _PROTOCOL with one clear sentence. */
export function* clientHandshake(
  options: ClientHandshakeOptions,
): Generator<HandshakeStep, PeerInfo, HandshakePacket> {
  const { key, session, lane } = options;
  const clientNonce = newNonce();
  yield message(Kind.HELLO, {
    name: PROTOCOL_NAME,
    version: PROTOCOL_VERSION,
    nonce: clientNonce,
    session,
    lane,
  });
  const challenge = read(yield 'receive', Kind.CHALLENGE, 'agent');
  checkVersion(challenge, 'agent');
  const input = { clientNonce, serverNonce: text(challenge, 'nonce'), session, lane };
  yield message(Kind.HELLO, { proof: proof(key, 'client', input), self: options.self });
  const welcome = read(yield 'receive', Kind.WELCOME, 'agent');
  if (!sameProof(text(welcome, 'proof'), proof(key, 'server', input))) {
    throw new ElsewhereError(
      'ERR_ELSEWHERE_AUTH',
      'the agent could not prove that it knows the token: it may be an impostor',
    );
  }
  return readPeer(welcome['peer'], 'agent');
}

/** What an authenticated link asks for. */
export interface Admission {
  readonly session: string;
  readonly lane: LaneName;
  readonly peer: PeerInfo;
}

/** The accepting side: yields like the client's, and returns who was let in. The caller sends the returned welcome. */
export function* serverHandshake(
  key: Buffer,
): Generator<
  HandshakeStep,
  Admission & { welcome(self: PeerInfo): HandshakePacket },
  HandshakePacket
> {
  const serverNonce = newNonce();
  yield message(Kind.CHALLENGE, {
    name: PROTOCOL_NAME,
    version: PROTOCOL_VERSION,
    nonce: serverNonce,
  });
  const hello = read(yield 'receive', Kind.HELLO, 'client');
  checkVersion(hello, 'client');
  const session = text(hello, 'session');
  const lane = text(hello, 'lane');
  if (!/^[0-9a-f]{32}$/.test(session) || (lane !== 'main' && lane !== 'sync'))
    throw malformed('client');
  const input = { clientNonce: text(hello, 'nonce'), serverNonce, session, lane };
  const answer = read(yield 'receive', Kind.HELLO, 'client');
  if (!sameProof(text(answer, 'proof'), proof(key, 'client', input))) {
    throw new ElsewhereError(
      'ERR_ELSEWHERE_AUTH',
      'wrong token: use the URL or token that `elsewhere serve` printed',
    );
  }
  const peer = readPeer(answer['self'], 'client');
  const welcome = (self: PeerInfo): HandshakePacket =>
    encode(Kind.WELCOME, { proof: proof(key, 'server', input), peer: self });
  return { session, lane, peer, welcome };
}

/** The last word to a peer that is not let in. */
export function refusal(error: ElsewhereError): HandshakePacket {
  return encode(Kind.REFUSE, { code: error.code, message: error.message.slice(0, 500) });
}

function message(kind: number, fields: Fields): HandshakeStep {
  return { send: encode(kind, fields) };
}

function encode(kind: number, fields: Fields): HandshakePacket {
  return { kind, body: Buffer.from(JSON.stringify(fields)) };
}

function read(packet: HandshakePacket, kind: number, who: string): Fields {
  const fields = parse(packet.body, who);
  if (packet.kind === Kind.REFUSE) throw refused(fields);
  if (packet.kind !== kind) throw malformed(who);
  return fields;
}

function parse(body: Uint8Array, who: string): Fields {
  try {
    const value: unknown = JSON.parse(
      Buffer.from(body.buffer, body.byteOffset, body.length).toString(),
    );
    if (typeof value === 'object' && value !== null) return value as Fields;
  } catch {
    // Reported below, whatever was wrong with it.
  }
  throw malformed(who);
}

const REFUSALS: ReadonlySet<unknown> = new Set([
  'ERR_ELSEWHERE_AUTH',
  'ERR_ELSEWHERE_VERSION',
  'ERR_ELSEWHERE_PROTOCOL',
  'ERR_ELSEWHERE_LIMIT',
  'ERR_ELSEWHERE_CLOSED',
]);

function refused(fields: Fields): ElsewhereError {
  const code = REFUSALS.has(fields['code']) ? fields['code'] : 'ERR_ELSEWHERE_PROTOCOL';
  // The text is the peer's: printable characters only, so that it cannot drive a terminal.
  const said = (typeof fields['message'] === 'string' ? fields['message'] : '')
    .replace(/[^\x20-\x7e]/g, '?')
    .slice(0, 500);
  return new ElsewhereError(
    code as 'ERR_ELSEWHERE_AUTH',
    `the agent refused the connection: ${said}`,
  );
}

function checkVersion(fields: Fields, who: string): void {
  if (fields['name'] !== PROTOCOL_NAME) throw malformed(who);
  if (fields['version'] === PROTOCOL_VERSION) return;
  const theirs = typeof fields['version'] === 'number' ? fields['version'] : 'unknown';
  throw new ElsewhereError(
    'ERR_ELSEWHERE_VERSION',
    `the ${who} speaks version ${theirs} of the protocol and this side version ${PROTOCOL_VERSION}: use the same version of elsewhere on both sides`,
  );
}

function text(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value === 'string' && value.length <= 256) return value;
  throw malformed('peer');
}

function malformed(who: string): ElsewhereError {
  return new ElsewhereError(
    'ERR_ELSEWHERE_PROTOCOL',
    `the ${who} does not speak the elsewhere protocol`,
  );
}

function readPeer(value: unknown, who: string): PeerInfo {
  if (typeof value !== 'object' || value === null) throw malformed(who);
  const fields = value as Fields;
  const word = (name: string): string => {
    const found = fields[name];
    if (typeof found !== 'string' || found.length > 4000) throw malformed(who);
    return found;
  };
  return {
    node: word('node'),
    platform: word('platform'),
    arch: word('arch'),
    hostname: word('hostname'),
    cwd: word('cwd'),
    version: word('version'),
    pid: typeof fields['pid'] === 'number' ? fields['pid'] : Number.NaN,
  };
}

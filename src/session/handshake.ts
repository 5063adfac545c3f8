/**
 * The handshake of a link, without I/O. Nothing of an unauthenticated peer is read but these small JSON messages, and
 * none of them reaches msgpack. See docs/protocol.md.
 */
import { ElsewhereError } from '../base/errors.ts';
import type { PeerInfo } from '../connection/channel.ts';
import type { HandshakePacket, HandshakeStep } from '../connection/handshake-steps.ts';
import { newNonce, nextSecret, proof, resumeKey, sameProof } from '../security/auth.ts';
import type { GuessesFrom } from '../security/guesses.ts';
import type { UserLogin } from '../security/users.ts';
import { Kind, PROTOCOL_NAME, PROTOCOL_VERSION } from '../wire/message.ts';
import type { Credentials, Keyring, Principal } from './keyring.ts';

export type LaneName = 'main' | 'sync';
type Fields = Readonly<Record<string, unknown>>;

/** What is kept of a link, for the one that takes its place. */
export interface Resumption {
  /** Proves that the new link is the same peer's. */
  readonly secret: Buffer;
  /** The agent's run: another one has nothing of this session. */
  readonly epoch: string;
}

export interface ClientHandshakeOptions {
  /** A token's key, or a user's way to make one. */
  readonly key: Buffer | UserLogin;
  readonly session: string;
  readonly lane: LaneName;
  /** Facts about this process, told once authenticated. */
  readonly self: PeerInfo;
  /** How many sequenced packets of this lane have come. */
  readonly received: number;
  /** What the lane's last link left behind; undefined for its first. */
  readonly resumption: Resumption | undefined;
  /** Milliseconds between the client's heartbeats: for signs of life of an agent that is busy. 0: none. */
  readonly heartbeat: number;
  /** Over this link only the client sends; it reads nothing but acknowledgements. */
  readonly oneWay?: boolean;
}

/** What the agent says once it is proven. */
export interface Welcome {
  readonly peer: PeerInfo;
  /** How many of our sequenced packets it has. */
  readonly received: number;
  /** Milliseconds for which it keeps a session without links. */
  readonly grace: number;
  /** Milliseconds between its heartbeats; 0: none. */
  readonly heartbeat: number;
  /** For the next link of this lane. */
  readonly resumption: Resumption;
}

/** The dialling side. Throws _AUTH, _VERSION, _PROTOCOL, or _CLOSED when there is nothing left to resume. */
export function* clientHandshake(
  options: ClientHandshakeOptions,
): Generator<HandshakeStep, Welcome, HandshakePacket> {
  const { session, lane, received, resumption } = options;
  const clientNonce = newNonce();
  yield message(Kind.HELLO, {
    name: PROTOCOL_NAME,
    version: PROTOCOL_VERSION,
    nonce: clientNonce,
    session,
    lane,
    resume: resumption !== undefined,
    ...(Buffer.isBuffer(options.key) ? {} : { user: options.key.user }),
  });
  const challenge = read(yield 'receive', Kind.CHALLENGE, 'agent');
  checkVersion(challenge, 'agent');
  const epoch = text(challenge, 'epoch');
  if (resumption !== undefined && resumption.epoch !== epoch) throw gone('it was restarted');
  const serverNonce = text(challenge, 'nonce');
  const base = baseKey(options.key, challenge);
  const key = resumption === undefined ? base : resumeKey(base, resumption.secret);
  const input = { clientNonce, serverNonce, session, lane };
  yield message(Kind.HELLO, {
    proof: proof(key, 'client', { ...input, received }),
    received,
    self: options.self,
    heartbeat: options.heartbeat,
    oneWay: options.oneWay === true,
  });
  const welcome = read(yield 'receive', Kind.WELCOME, 'agent');
  const theirs = Number(welcome['received']);
  if (!sameProof(text(welcome, 'proof'), proof(key, 'server', { ...input, received: theirs }))) {
    throw new ElsewhereError(
      'ERR_ELSEWHERE_AUTH',
      'the agent could not prove that it knows the token: it may be an impostor',
    );
  }
  return {
    peer: readPeer(welcome['peer'], 'agent'),
    received: count(welcome, 'received'),
    grace: count(welcome, 'grace'),
    heartbeat: count(welcome, 'heartbeat'),
    resumption: { secret: nextSecret(key, clientNonce, serverNonce), epoch },
  };
}

function baseKey(key: Buffer | UserLogin, challenge: Fields): Buffer {
  if (Buffer.isBuffer(key)) return key;
  if (challenge['salt'] === undefined)
    throw new ElsewhereError(
      'ERR_ELSEWHERE_AUTH',
      'the agent knows no users: connect with its token, without a name',
    );
  return key.keyFor(text(challenge, 'salt'));
}

export interface ServerHandshakeOptions {
  readonly keyring: Keyring;
  readonly guesses: GuessesFrom;
  readonly epoch: string;
  /** The secrets that may prove a resumption of that lane; why not, when there is no such session. */
  secrets(session: string, lane: LaneName): readonly Buffer[] | string;
}

/** What an authenticated link asks for. */
export interface Admission {
  readonly session: string;
  readonly lane: LaneName;
  readonly peer: PeerInfo;
  readonly credentials: Credentials;
  /** How many of our sequenced packets the client has. */
  readonly received: number;
  /** Milliseconds between the client's heartbeats; 0: none. */
  readonly heartbeat: number;
  /** Nothing but acknowledgements is read at the other end. */
  readonly oneWay: boolean;
  /** The secret that was proven; undefined for the first link of a lane. */
  readonly proven: Buffer | undefined;
  /** The secret for the next link. */
  readonly next: Buffer;
  /** What was proven, and so what this side proves in turn. */
  readonly key: Buffer;
  readonly nonces: { readonly clientNonce: string; readonly serverNonce: string };
}

/** The packet that ends the handshake: `received` is how many of the client's sequenced packets we have. */
export function welcome(
  { key, nonces, session, lane }: Admission,
  self: PeerInfo,
  received: number,
  { grace, heartbeat }: { readonly grace: number; readonly heartbeat: number },
): HandshakePacket {
  return encode(Kind.WELCOME, {
    proof: proof(key, 'server', { ...nonces, session, lane, received }),
    received,
    grace,
    heartbeat,
    peer: self,
  });
}

/** The accepting side: yields like the client's, and returns who was let in. The caller sends the welcome. */
export function* serverHandshake(
  options: ServerHandshakeOptions,
): Generator<HandshakeStep, Admission, HandshakePacket> {
  const serverNonce = newNonce();
  const { salt } = options.keyring;
  yield message(Kind.CHALLENGE, {
    name: PROTOCOL_NAME,
    version: PROTOCOL_VERSION,
    nonce: serverNonce,
    epoch: options.epoch,
    ...(salt === undefined ? {} : { salt }),
  });
  const hello = read(yield 'receive', Kind.HELLO, 'client');
  checkVersion(hello, 'client');
  const session = text(hello, 'session');
  const lane = text(hello, 'lane');
  if (!/^[0-9a-f]{32}$/.test(session) || (lane !== 'main' && lane !== 'sync'))
    throw malformed('client');
  const clientNonce = text(hello, 'nonce');
  const user = hello['user'] === undefined ? undefined : text(hello, 'user');
  const input = { clientNonce, serverNonce, session, lane };
  // Who comes back to a session knows its secret: that is no guess.
  const guesses = hello['resume'] === true ? undefined : options.guesses;
  // Also the right password is refused: else who guesses would be told.
  if (user !== undefined && guesses?.mayTry(user) === false) throw tooManyGuesses();
  const answer = read(yield 'receive', Kind.HELLO, 'client');
  const received = count(answer, 'received');
  const said = text(answer, 'proof');
  const keys = linkKeys(options, user, session, lane, hello['resume'] === true);
  const found = keys.find(({ key }) =>
    sameProof(said, proof(key, 'client', { ...input, received })),
  );
  if (found === undefined) {
    if (user !== undefined) guesses?.wrong(user);
    throw wrong(user);
  }
  return {
    session,
    lane,
    received,
    heartbeat: count(answer, 'heartbeat'),
    oneWay: answer['oneWay'] === true,
    credentials: found.credentials,
    peer: readPeer(answer['self'], 'client'),
    proven: found.secret,
    next: nextSecret(found.key, clientNonce, serverNonce),
    key: found.key,
    nonces: { clientNonce, serverNonce },
  };
}

function tooManyGuesses(): ElsewhereError {
  return new ElsewhereError(
    'ERR_ELSEWHERE_LIMIT',
    'too many wrong passwords for this name from this address: try again in a minute',
  );
}

function wrong(user: string | undefined): ElsewhereError {
  return new ElsewhereError(
    'ERR_ELSEWHERE_AUTH',
    user === undefined
      ? 'wrong token: use the URL or token that `elsewhere serve` printed'
      : 'wrong name or password',
  );
}

interface LinkKey extends Principal {
  readonly secret: Buffer | undefined;
}

function linkKeys(
  options: ServerHandshakeOptions,
  user: string | undefined,
  session: string,
  lane: LaneName,
  resume: boolean,
): LinkKey[] {
  const principals = options.keyring.principals(user);
  if (!resume) return principals.map((principal) => ({ ...principal, secret: undefined }));
  const secrets = options.secrets(session, lane);
  if (typeof secrets === 'string') throw gone(secrets);
  return principals.flatMap(({ key, credentials }) =>
    secrets.map((secret) => ({ key: resumeKey(key, secret), credentials, secret })),
  );
}

function gone(why: string): ElsewhereError {
  return new ElsewhereError(
    'ERR_ELSEWHERE_CLOSED',
    `the agent no longer holds this session: ${why}`,
  );
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
  // Of a client that was blocked meanwhile: it tries again.
  'ERR_ELSEWHERE_TIMEOUT',
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

function count(fields: Fields, name: string): number {
  const value = fields[name];
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
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
  const namesIn = (list: unknown): string[] => {
    if (Array.isArray(list) && list.length <= 100 && list.every(isName)) return list;
    throw malformed(who);
  };
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
    pidSpace: word('pidSpace'),
    thread: word('thread'),
    pid: typeof fields['pid'] === 'number' ? fields['pid'] : Number.NaN,
    services: namesIn(fields['services'] ?? []),
  };
}

function isName(text: unknown): text is string {
  return typeof text === 'string' && text.length <= 200;
}

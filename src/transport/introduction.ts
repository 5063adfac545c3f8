/**
 * What is said to a relay before a socket through it is a link: a greeting, and two lines of JSON each way, in which both sides prove the
 * relay's token without sending it. Behind them the relay hands bytes on and looks at none.
 */
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Socket } from 'node:net';
import { ElsewhereError } from '../base/errors.ts';
import { isLoopback } from './endpoint.ts';

/** 'agent' takes a name and hears who asks for it; 'data' is its socket for one of them; 'client' asks for a name. */
export type RelayRole = 'agent' | 'client' | 'data';

export interface Introduction {
  readonly role: RelayRole;
  readonly name: string;
  /** For 'data' whom it is for, as the relay called it; for 'agent' the same at each dial, unknown to others. */
  readonly id: string;
}

/** What a peer says of itself, after the relay's own nonce. */
export interface Introduced extends Introduction {
  readonly nonce: string;
  readonly proof: string;
}

/** What a relay says last. */
export type Verdict =
  | { readonly proof: string }
  | { readonly error: string; readonly auth?: boolean };

export interface Nonces {
  readonly relay: string;
  readonly peer: string;
}

/** Ports on which relays of this thread listen: a blocking call through one of them could never be answered. */
export const ownRelays: Set<number> = new Set();

export function isOwnRelay({ host, port }: { host: string; port: number }): boolean {
  return ownRelays.has(port) && isLoopback(host);
}

/** Milliseconds for a relay to speak, which it does as soon as somebody has come. */
const PATIENCE = 8000;
/** A peer's first line; with it a server that wants TLS, and would wait for more, knows that this is none. */
export const GREETING = '{"elsewhere":"relay"}\n';
/** No line is longer. */
const MAX_LINE = 4096;

export function newRelayNonce(): string {
  return randomBytes(24).toString('base64url');
}

export function relayProof(
  token: string,
  side: 'relay' | 'peer',
  nonces: Nonces,
  { role, name, id }: Introduction,
): string {
  const key = createHash('sha256').update('elsewhere relay token\0').update(token).digest();
  const text = JSON.stringify([side, nonces.relay, nonces.peer, role, name, id]);
  return createHmac('sha256', key).update(text).digest('base64url');
}

export function sameText(a: string, b: unknown): boolean {
  const digest = (text: unknown): Buffer => createHash('sha256').update(String(text)).digest();
  return timingSafeEqual(digest(a), digest(b));
}

/** The lines of JSON that come over a socket, until it is given back with what is behind them. */
export class Lines {
  readonly #socket: Socket;
  #heard: Buffer = Buffer.alloc(0);
  #waiting: ((line: Record<string, unknown>) => void) | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', this.#data);
  }

  readonly #data = (bytes: Buffer): void => {
    this.#heard = Buffer.concat([this.#heard, bytes]);
    this.#look();
  };

  /** The next one. A line that is none ends the socket. */
  next(then: (line: Record<string, unknown>) => void): void {
    this.#waiting = then;
    this.#look();
  }

  #look(): void {
    const then = this.#waiting;
    const at = this.#heard.indexOf(10);
    if (at < 0 || at > MAX_LINE) {
      if (this.#heard.length > MAX_LINE) this.#socket.destroy(notARelay());
      return;
    }
    if (then === undefined) return;
    const text = this.#heard.toString('utf8', 0, at);
    this.#heard = this.#heard.subarray(at + 1);
    this.#waiting = undefined;
    let line: unknown;
    try {
      line = JSON.parse(text);
    } catch {
      line = undefined;
    }
    if (typeof line === 'object' && line !== null) then(line as Record<string, unknown>);
    else this.#socket.destroy(notARelay());
  }

  /** Gives the socket back, paused, with what has come meanwhile. */
  release(): void {
    this.#socket.pause().off('data', this.#data);
    if (this.#heard.length > 0) this.#socket.unshift(this.#heard);
  }
}

function notARelay(): ElsewhereError {
  return new ElsewhereError(
    'ERR_ELSEWHERE_PROTOCOL',
    'what answers there is no relay of elsewhere',
  );
}

function mute(cause?: Error): ElsewhereError {
  return new ElsewhereError(
    'ERR_ELSEWHERE_CONNECT',
    'what listens there said nothing: is it a relay of elsewhere? Where that has a certificate its URL begins with relays:, not relay:',
    { cause },
  );
}

function gone(): ElsewhereError {
  return new ElsewhereError('ERR_ELSEWHERE_CONNECT', 'the relay closed the connection');
}

/** Says who we are on a connected socket; `done` comes once, with what has failed or the lines for what is to follow. */
export function introduce(
  socket: Socket,
  token: string,
  introduction: Introduction,
  done: (error: Error | undefined, lines: Lines) => void,
  patience: number = PATIENCE,
): void {
  const lines = new Lines(socket);
  let silent = true;
  const settle = (error?: Error): void => {
    clearTimeout(timer);
    socket.off('close', closed).off('error', failed);
    done(error, lines);
  };
  const failed = (error: Error): void =>
    settle(silent && (error as NodeJS.ErrnoException).code === 'ECONNRESET' ? mute(error) : error);
  const closed = (): void => settle(silent ? mute() : gone());
  const timer = setTimeout(closed, patience);
  socket.on('close', closed).on('error', failed);
  socket.write(GREETING);
  lines.next(({ nonce }) => {
    silent = false;
    clearTimeout(timer);
    const nonces = { relay: String(nonce), peer: newRelayNonce() };
    const proof = relayProof(token, 'peer', nonces, introduction);
    const said: Introduced = { ...introduction, nonce: nonces.peer, proof };
    socket.write(`${JSON.stringify(said)}\n`);
    lines.next((line) => {
      const { error, auth, proof: theirs } = line;
      if (typeof error === 'string')
        return settle(
          new ElsewhereError(auth === true ? 'ERR_ELSEWHERE_AUTH' : 'ERR_ELSEWHERE_CONNECT', error),
        );
      if (sameText(relayProof(token, 'relay', nonces, introduction), theirs)) return settle();
      settle(new ElsewhereError('ERR_ELSEWHERE_AUTH', 'the relay does not know its own token'));
    });
  });
}

/**
 * Proofs of the shared token. The token itself never travels: each side shows an HMAC over both nonces, its own role and
 * the session it asks for, so that a recorded or mirrored proof is worth nothing (security research §4 A2-A6).
 */
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { ElsewhereError } from '../base/errors.ts';

export interface ProofInput {
  readonly clientNonce: string;
  readonly serverNonce: string;
  readonly session: string;
  readonly lane: string;
  /** How many packets the prover has received on this lane: not to be changed on the way. */
  readonly received: number;
}

/** Where no stranger can come, so that a secret would keep nobody out: a pipe to a child, a port of a thread. */
export const PRIVATE_LINK_TOKEN = 'whoever holds this pipe or port is its owner';

/** 256 random bits, url-safe: what `serve` makes when it is given no token. */
export function newToken(): string {
  return randomBytes(32).toString('base64url');
}

export function newNonce(): string {
  return randomBytes(24).toString('base64url');
}

/** Of an agent or a relay. Throws ERR_ELSEWHERE_ARGUMENT for one that could be guessed. */
export function checkToken(token: string): void {
  if (token.length < 16)
    throw new ElsewhereError(
      'ERR_ELSEWHERE_ARGUMENT',
      'the token is shorter than 16 characters: leave it out to get a random one',
    );
}

/** What is kept of a token: enough to check proofs, not the token. */
export function tokenKey(token: string): Buffer {
  return createHash('sha256').update('elsewhere token\0').update(token).digest();
}

/** For TLS by a pre-shared key; of no use for proofs, nor the other way round. */
export function tlsKey(token: string): Buffer {
  return createHash('sha256').update('elsewhere tls\0').update(token).digest();
}

export function proof(key: Buffer, role: 'client' | 'server', input: ProofInput): string {
  const { clientNonce, serverNonce, session, lane, received } = input;
  const text = [role, clientNonce, serverNonce, session, lane, received].join('\n');
  return createHmac('sha256', key).update(text).digest('base64url');
}

/** The key of a link that goes on where another one was lost: the token alone does not prove that it is the same peer. */
export function resumeKey(key: Buffer, secret: Buffer): Buffer {
  return createHmac('sha256', key).update('elsewhere resume\0').update(secret).digest();
}

/** What proves the next resumption; new with each link, and known to who knew the key of this one. */
export function nextSecret(key: Buffer, clientNonce: string, serverNonce: string): Buffer {
  return createHmac('sha256', key).update(`next\n${clientNonce}\n${serverNonce}`).digest();
}

/** Compares digests of both, so that neither content nor length shows in the time it takes. */
export function sameProof(a: string, b: string): boolean {
  const digest = (value: string): Buffer => createHash('sha256').update(value).digest();
  return timingSafeEqual(digest(a), digest(b));
}

/**
 * Users with passwords. What is kept of a password is a key made of it by scrypt, with a salt of the list and the name:
 * enough to check proofs, not the password. Who can read the list could still log in, so it must be as private as a token.
 */
import { randomBytes, scryptSync } from 'node:crypto';
import { ElsewhereError } from '../base/errors.ts';

export interface UserList {
  readonly salt: string;
  /** Keys in base64url, by name. */
  readonly users: Readonly<Record<string, string>>;
}

/** How a client logs in: the agent tells the salt. */
export interface UserLogin {
  readonly user: string;
  keyFor(salt: string): Buffer;
}

const MAX_NAME = 64;
/** About 16 MB and 40 ms for each guess. */
const COST = { N: 16_384, r: 8, p: 1 };

export function emptyList(): UserList {
  return { salt: randomBytes(16).toString('base64url'), users: {} };
}

/** Throws ERR_ELSEWHERE_ARGUMENT for what cannot be a name. */
export function checkName(name: string): void {
  if (name !== '' && name.length <= MAX_NAME && /^[\w.@-]+$/.test(name) && name !== '__proto__')
    return;
  throw argument(
    `${JSON.stringify(name.slice(0, MAX_NAME))} is no name for a user: letters, digits and . _ @ -, at most ${MAX_NAME}`,
  );
}

export function passwordKey(password: string, user: string, salt: string): Buffer {
  return scryptSync(password, `elsewhere user\0${salt}\0${user}`, 32, COST);
}

export function withUser(list: UserList, name: string, password: string): UserList {
  checkName(name);
  if (password.length < 8) throw argument('the password is shorter than 8 characters');
  const key = passwordKey(password, name, list.salt).toString('base64url');
  return { ...list, users: { ...list.users, [name]: key } };
}

export function withoutUser(list: UserList, name: string): UserList {
  const { [name]: _gone, ...users } = list.users;
  return { ...list, users };
}

/** The key of a user; undefined for a name that is not in the list. */
export function keyOfUser({ users }: UserList, name: string): Buffer | undefined {
  const key = Object.hasOwn(users, name) ? users[name] : undefined;
  return key === undefined ? undefined : Buffer.from(key, 'base64url');
}

/** Throws ERR_ELSEWHERE_ARGUMENT. */
export function parseList(text: string, source: string): UserList {
  try {
    const { salt, users } = JSON.parse(text) as UserList;
    if (typeof salt === 'string' && isRecord(users)) return { salt, users };
  } catch {
    // Reported below, whatever was wrong with it.
  }
  throw argument(`${source} is no list of users: make one with \`elsewhere user add\``);
}

function isRecord(users: unknown): boolean {
  return (
    typeof users === 'object' &&
    users !== null &&
    Object.values(users).every((key) => typeof key === 'string')
  );
}

/** Made once for each salt: it costs as much as it costs a guesser. */
export function userLogin(user: string, password: string): UserLogin {
  checkName(user);
  let made: { salt: string; key: Buffer } | undefined;
  return {
    user,
    keyFor: (salt) => {
      if (made?.salt !== salt) made = { salt, key: passwordKey(password, user, salt) };
      return made.key;
    },
  };
}

function argument(message: string): ElsewhereError {
  return new ElsewhereError('ERR_ELSEWHERE_ARGUMENT', message);
}

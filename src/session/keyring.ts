/** Who may come in: the agent's tokens and users, as the keys that prove them. */
import { randomBytes } from 'node:crypto';
import { runLocally } from '../base/context.ts';
import type { PeerInfo } from '../connection/channel.ts';
import { checkToken, sameProof, tokenKey } from '../security/auth.ts';
import type { GuessesFrom } from '../security/guesses.ts';
import {
  emptyList,
  keyOfUser,
  parseList,
  passwordKey,
  type UserList,
  withUser,
} from '../security/users.ts';
import type { PeerCertificate } from '../transport/transport.ts';
import { readPrivateFile } from './private-file.ts';

/** Who a client has proven to be. */
export interface Credentials {
  readonly by: 'token' | 'user';
  /** Of the user, or of one of `auth.tokens`; undefined for the agent's own token. */
  readonly name: string | undefined;
  /** What it showed where TLS asks for one. */
  readonly certificate?: PeerCertificate | undefined;
  /** What `auth.verify` gave. */
  readonly granted?: unknown;
}

/** A client that has proven itself. */
export interface Login {
  readonly credentials: Credentials;
  /** Facts about its process, as it tells them; undefined for who sends an HTTP POST. */
  readonly peer: PeerInfo | undefined;
  /** Where it comes from. */
  readonly remote: string;
}

export interface AuthOptions {
  /** More tokens, by names that the service sees. */
  readonly tokens?: Readonly<Record<string, string>>;
  /** Users and their passwords; or a file made by `elsewhere user add`, which is read again at each login. */
  readonly users?: string | Readonly<Record<string, string>>;
  /**
   * Has the last word on a client that has proven itself: false, a rejection or a throw turns it away. Anything else but
   * true and undefined is `granted` to the service.
   */
  readonly verify?: (login: Login) => unknown;
}

export interface Principal {
  readonly key: Buffer;
  readonly credentials: Credentials;
}

export class Keyring {
  readonly #principals: readonly Principal[];
  readonly #users: (() => UserList) | undefined;
  /** Stands for names that are not in the list: they take as long, and are told the same. */
  readonly #nobody = randomBytes(32);

  constructor(token: string, { tokens = {}, users }: AuthOptions = {}) {
    const named = Object.entries(tokens).map(([name, text]): Principal => {
      checkToken(text);
      return { key: tokenKey(text), credentials: { by: 'token', name } };
    });
    this.#principals = [
      { key: tokenKey(token), credentials: { by: 'token', name: undefined } },
      ...named,
    ];
    if (users !== undefined) this.#users = source(users);
  }

  /** What the passwords of users are salted with; undefined where there are none. */
  get salt(): string | undefined {
    return this.#users?.().salt;
  }

  /** Who an `Authorization` header says and proves to be: Bearer TOKEN, or Basic with a user's password. */
  authorized(header: string | undefined, guesses: GuessesFrom): Credentials | undefined {
    const [, scheme = '', value = ''] = /^(Bearer|Basic) +([\w+/=~.-]+)$/i.exec(header ?? '') ?? [];
    if (scheme === '') return undefined;
    const text = scheme.toLowerCase() === 'basic' ? Buffer.from(value, 'base64').toString() : value;
    if (scheme.toLowerCase() === 'bearer') return this.#who(undefined, tokenKey(text));
    const at = text.indexOf(':');
    const { salt } = this;
    if (at < 1 || salt === undefined) return undefined;
    const user = text.slice(0, at);
    if (!guesses.mayTry(user)) return undefined;
    const found = this.#who(user, passwordKey(text.slice(at + 1), user, salt));
    if (found === undefined) guesses.wrong(user);
    return found;
  }

  #who(user: string | undefined, key: Buffer): Credentials | undefined {
    const shown = key.toString('base64');
    const isKey = (one: Principal): boolean => sameProof(one.key.toString('base64'), shown);
    return this.principals(user).find(isKey)?.credentials;
  }

  /** Everybody whom a client that names `user` (or nobody) may prove to be. */
  principals(user: string | undefined): readonly Principal[] {
    if (user === undefined) return this.#principals;
    const list = this.#users?.();
    const key = (list && keyOfUser(list, user)) ?? this.#nobody;
    return [{ key, credentials: { by: 'user', name: user } }];
  }
}

function source(users: string | Readonly<Record<string, string>>): () => UserList {
  if (typeof users === 'string') {
    const read = (): UserList => runLocally(() => parseList(readPrivateFile(users), users));
    // Wrong from the start is told at once.
    read();
    return read;
  }
  const list = Object.entries(users).reduce(
    (made, [name, password]) => withUser(made, name, password),
    emptyList(),
  );
  return () => list;
}

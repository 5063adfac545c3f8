/**
 * What clients may do on this machine, decided without any I/O: addresses and paths are given as they are after resolving.
 * Each decision is undefined for yes, or a sentence that names the rule.
 */
import { isMetadata, parseAddress } from './address.ts';
import { PlaceRules } from './place-rules.ts';

/** What clients of an agent may do. With a policy, all that it does not list is denied. */
export interface Policy {
  /** Directories (absolute), each with all that is below it. Symbolic links count as what they lead to. */
  readonly fs?: { readonly read?: readonly string[]; readonly write?: readonly string[] };
  /** Places: `db.corp:5432`, `*.corp:443`, `10.0.0.0/8:*`, `*:8000-8999`, `unix:/run/x.sock`. */
  readonly net?: { readonly connect?: readonly string[]; readonly listen?: readonly string[] };
  /** Programs that may be started, by the exact name or path that the client gives; `*` is any. */
  readonly spawn?: readonly string[];
  /** Environment variables of the agent that may be read; `*` is any. */
  readonly env?: readonly string[];
  /** Whether clients may run code here. It can do anything, so by default not. */
  readonly classic?: boolean;
}

/** The names that were resolved here to an address. */
export type NamesOf = (address: string) => readonly string[];

export interface PolicyRules {
  /** False without a policy: all is allowed but the addresses of clouds' metadata. */
  readonly restricted: boolean;
  connect(address: string, port: number, names: NamesOf): string | undefined;
  listen(address: string, port: number): string | undefined;
  connectPath(path: string): string | undefined;
  listenPath(path: string): string | undefined;
  read(realPath: string): string | undefined;
  write(realPath: string): string | undefined;
  spawn(file: string): string | undefined;
  env(name: string): boolean;
}

const none: readonly string[] = [];

export function policyRules(policy: Policy | undefined): PolicyRules {
  return policy === undefined ? unrestricted : new Restricted(policy);
}

const unrestricted: PolicyRules = {
  restricted: false,
  connect: (address) => {
    const parsed = parseAddress(address);
    if (parsed === undefined) return notAnAddress(address);
    return isMetadata(parsed)
      ? `${address} hands out a cloud's credentials: allow it by a policy with net.connect ['*', '${address}']`
      : undefined;
  },
  listen: () => undefined,
  connectPath: () => undefined,
  listenPath: () => undefined,
  read: () => undefined,
  write: () => undefined,
  spawn: () => undefined,
  env: () => true,
};

class Restricted implements PolicyRules {
  readonly restricted = true;
  readonly #read: readonly string[];
  readonly #write: readonly string[];
  readonly #connect: PlaceRules;
  readonly #listen: PlaceRules;
  readonly #spawn: readonly string[];
  readonly #env: readonly string[];

  constructor({ fs, net, spawn, env }: Policy) {
    this.#write = (fs?.write ?? none).map(directory);
    this.#read = [...(fs?.read ?? none).map(directory), ...this.#write];
    this.#connect = new PlaceRules(net?.connect ?? none);
    this.#listen = new PlaceRules(net?.listen ?? none);
    this.#spawn = spawn ?? none;
    this.#env = env ?? none;
  }

  connect(address: string, port: number, names: NamesOf): string | undefined {
    const parsed = parseAddress(address);
    if (parsed === undefined) return notAnAddress(address);
    return this.#connect.allow(parsed, port, names(address))
      ? undefined
      : denied(`connect to ${address}:${port}`, 'net.connect');
  }

  listen(address: string, port: number): string | undefined {
    const parsed = parseAddress(address);
    // Any interface is more than loopback: only a rule for any allows it.
    const any = address === '0.0.0.0' || address === '::';
    const allowed = parsed !== undefined && this.#listen.allow(any ? ANYWHERE : parsed, port, none);
    return allowed ? undefined : denied(`listen on ${address}:${port}`, 'net.listen');
  }

  connectPath(path: string): string | undefined {
    return this.#connect.allowPath(path) ? undefined : denied(`connect to ${path}`, 'net.connect');
  }

  listenPath(path: string): string | undefined {
    return this.#listen.allowPath(path) ? undefined : denied(`listen on ${path}`, 'net.listen');
  }

  read(realPath: string): string | undefined {
    return below(realPath, this.#read) ? undefined : denied(`read ${realPath}`, 'fs.read');
  }

  write(realPath: string): string | undefined {
    return below(realPath, this.#write) ? undefined : denied(`write ${realPath}`, 'fs.write');
  }

  spawn(file: string): string | undefined {
    return listed(file, this.#spawn) ? undefined : denied(`start ${file}`, 'spawn');
  }

  env(name: string): boolean {
    return listed(name, this.#env);
  }
}

/** No address of a host, so that no network but the whole of IPv4 (or `*`) contains it. */
const ANYWHERE = [0, 0, 0, 0];

function listed(name: string, list: readonly string[]): boolean {
  return list.includes('*') || list.includes(name);
}

function directory(path: string): string {
  return path === '/' ? '' : path.replace(/\/+$/, '');
}

function below(path: string, roots: readonly string[]): boolean {
  return roots.some((root) => path === root || path.startsWith(`${root}/`));
}

function denied(what: string, rule: string): string {
  return `the agent's policy does not let clients ${what}: its rule ${rule} does not list it`;
}

function notAnAddress(address: string): string {
  return `${JSON.stringify(address)} is no IP address: names are resolved before they are dialled`;
}

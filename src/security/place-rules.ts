/** Rules for where may be connected to or listened on: `*.corp:443`, `10.0.0.0/8:5432`, `[::1]`, `*:8000-8999`, `unix:/run/x`. */
import { ElsewhereError } from '../base/errors.ts';
import {
  type Address,
  isMetadata,
  isNear,
  isWithin,
  type Network,
  parseNetwork,
} from './address.ts';

export interface PlaceRule {
  readonly network?: Network;
  /** In lower case; may begin with `*.`. */
  readonly name?: string;
  readonly path?: string;
  readonly from: number;
  readonly to: number;
}

export class PlaceRules {
  readonly #rules: readonly PlaceRule[];

  /** Throws ERR_ELSEWHERE_ARGUMENT naming the rule that is none. */
  constructor(rules: readonly string[]) {
    this.#rules = rules.flatMap(parsePlaceRule);
  }

  /** `names` are those that this machine has resolved to the address. Port 0 is any free one. */
  allow(address: Address, port: number, names: readonly string[]): boolean {
    return this.#rules.some((rule) => {
      if (port < rule.from || port > rule.to) return false;
      if (rule.network !== undefined) return isWithin(address, rule.network);
      if (rule.name === undefined || isMetadata(address)) return false;
      if (rule.name === '*') return true;
      return !isNear(address) && names.some((name) => nameMatches(rule.name ?? '', name));
    });
  }

  allowPath(path: string): boolean {
    return this.#rules.some((rule) => rule.path === path || rule.path === '*');
  }
}

/** `*.corp` is every name below corp. */
export function nameMatches(pattern: string, name: string): boolean {
  const plain = name.toLowerCase().replace(/\.$/, '');
  return pattern.startsWith('*.') ? plain.endsWith(pattern.slice(1)) : plain === pattern;
}

/** Several rules for `localhost`. Throws ERR_ELSEWHERE_ARGUMENT naming the rule that is none. */
export function parsePlaceRule(text: string): readonly PlaceRule[] {
  if (text.startsWith('unix:')) return [{ path: text.slice(5), from: 1, to: 0 }];
  const found =
    /^(?:\[([^\]]+)\]|(\*|[^:[\]]+)|([\da-f:.]*:[\da-f:.]*:[\da-f:./]*))(?::(\*|\d+(?:-\d+)?))?$/i.exec(
      text,
    );
  const host = found?.[1] ?? found?.[2] ?? found?.[3];
  const ports = portsOf(found?.[4]);
  if (host === undefined || ports === undefined) throw badRule(text);
  const network = parseNetwork(host);
  if (network !== undefined) return [{ network, ...ports }];
  const name = host.toLowerCase();
  // Who writes it means this machine, whatever its hosts file says.
  if (name === 'localhost') return LOOPBACK.map((loopback) => ({ network: loopback, ...ports }));
  if (!/^(?:\*|(?:\*\.)?[a-z\d_-]+(?:\.[a-z\d_-]+)*)$/.test(name) || /^[\d.]+$/.test(name))
    throw badRule(text);
  return [{ name, ...ports }];
}

const LOOPBACK = ['127.0.0.0/8', '::1'].flatMap((text) => parseNetwork(text) ?? []);

function portsOf(text = '*'): { from: number; to: number } | undefined {
  if (text === '*') return { from: 0, to: 65_535 };
  const [from = 0, to = from] = text.split('-').map(Number);
  return from <= to && to <= 65_535 ? { from, to } : undefined;
}

function badRule(text: string): ElsewhereError {
  return new ElsewhereError(
    'ERR_ELSEWHERE_ARGUMENT',
    `${JSON.stringify(text)} is no rule for a place: use HOST:PORT, *.DOMAIN:PORT, 10.0.0.0/8:PORT, [IPV6]:PORT, *:PORT or unix:/PATH; PORT may be 8000-8999, * or absent`,
  );
}

/**
 * The filters of a scope for what is connected to: which places are local, remote, denied, or another far side's. Pure.
 * A rule with a name decides about names as the program gives them; one with addresses about the addresses that it gives,
 * since what a far side has resolved is an address of its network. Denied addresses are denied however they came about.
 */
import { ElsewhereError } from '../base/errors.ts';
import { isLocalhost } from '../base/localhost.ts';
import type { Channel } from '../connection/channel.ts';
import type { NetworkPlace } from '../patch.ts';
import { isWithin, parseAddress } from '../security/address.ts';
import { nameMatches, type PlaceRule, parsePlaceRule } from '../security/place-rules.ts';
import { ask, keyOf, type PolicyVerdict, type ScopePolicy } from './scope-policy.ts';

/**
 * Places: `db.corp:5432`, `*.corp`, `10.0.0.0/8:443`, `[::1]:8000-8999`, `localhost`, `*:25`, `unix:/run/x.sock`; with
 * `tcp://` or `udp://` in front for one protocol only.
 */
export interface NetworkOptions {
  /** Reached from this machine. */
  readonly local?: readonly string[];
  /** Exceptions from `local` and `via`. */
  readonly remote?: readonly string[];
  /** Fail with EACCES, wherever they would have been reached from. */
  readonly deny?: readonly string[];
  /** Reached from other far sides. */
  readonly via?: readonly Via[];
}

export interface Via {
  readonly places: readonly string[];
  readonly remote: { readonly channel: Channel };
}

/** With the rule that decided, for `explain`. */
export type NetworkVerdict = PolicyVerdict;

/** Beside the lists. */
export interface NetworkFunctions {
  readonly policy?: ScopePolicy | undefined;
  /** Tells of ports of this machine's loopback that stay here. */
  readonly isOwnPort?: (port: number) => boolean;
}

interface Rule {
  readonly text: string;
  readonly protocol: string | undefined;
  readonly place: PlaceRule;
}

interface ViaRule extends Rule {
  readonly channel: Channel;
}

const DEFAULT: NetworkVerdict = { side: 'remote', rule: 'default' };
/** What localhost is. */
const LOOPBACKS: readonly string[] = ['127.0.0.1', '::1'];

export class NetworkRules {
  /** Equal for rules that decide the same. */
  readonly key: string;
  readonly #deny: readonly Rule[];
  readonly #remote: readonly Rule[];
  readonly #local: readonly Rule[];
  readonly #via: readonly ViaRule[];
  readonly #isOwnPort: (port: number) => boolean;
  readonly #policy: ScopePolicy | undefined;

  /** Throws ERR_ELSEWHERE_ARGUMENT for a bad rule. */
  constructor(options: NetworkOptions, { policy, isOwnPort }: NetworkFunctions = {}) {
    const { deny = [], remote = [], local = [], via = [] } = options;
    const others = via.map(({ places, remote: other }) => [places, other?.channel?.id]);
    this.key = JSON.stringify([deny, remote, local, others, policy && keyOf(policy)]);
    this.#policy = policy;
    this.#deny = deny.flatMap(parse);
    this.#remote = remote.flatMap(parse);
    this.#local = local.flatMap(parse);
    this.#via = via.flatMap((one) => {
      const { channel } = one.remote ?? {};
      if (channel === undefined)
        throw new ElsewhereError(
          'ERR_ELSEWHERE_ARGUMENT',
          'via needs { places, remote: a connection }',
        );
      return one.places.flatMap(parse).map((rule) => ({ ...rule, channel }));
    });
    this.#isOwnPort = isOwnPort ?? (() => false);
  }

  decide(place: NetworkPlace): NetworkVerdict {
    const said = this.#policy && ask(this.#policy, { patch: 'net', ...place });
    if (said !== undefined) return said;
    const denied = find(this.#deny, place);
    if (denied !== undefined) return { side: 'deny', rule: `deny ${denied.text}` };
    const remote = find(this.#remote, place);
    if (remote !== undefined) return { side: 'remote', rule: `remote ${remote.text}` };
    const via = find(this.#via, place);
    if (via !== undefined) return { side: 'remote', rule: `via ${via.text}`, channel: via.channel };
    const local = find(this.#local, place);
    if (local !== undefined) return { side: 'local', rule: `local ${local.text}` };
    return this.#isOwn(place) ? OWN : DEFAULT;
  }

  #isOwn(place: NetworkPlace): boolean {
    if (!('port' in place) || place.protocol !== 'tcp' || place.port === 0) return false;
    const isLoopback = isLocalhost(place.host) || parseAddress(place.host)?.[0] === 127;
    return (isLoopback || place.host === '::1') && this.#isOwnPort(place.port);
  }
}

const OWN: NetworkVerdict = { side: 'local', rule: 'a port that this program listens on' };

function parse(text: string): Rule[] {
  const [, protocol, rest = ''] = /^(?:(tcp|udp):\/\/)?(.*)$/s.exec(text) ?? [];
  return parsePlaceRule(rest).map((place) => ({ text, protocol, place }));
}

function find<R extends Rule>(rules: readonly R[], place: NetworkPlace): R | undefined {
  return rules.find((rule) => applies(rule, place));
}

function applies({ protocol, place: rule }: Rule, place: NetworkPlace): boolean {
  if ('socketPath' in place) return rule.path === place.socketPath || rule.path === '*';
  if (protocol !== undefined && protocol !== place.protocol) return false;
  // A question for a name has no port: only what holds for all of them counts.
  if ('name' in place) return rule.from === 0 && rule.to === 65_535 && isNamed(rule, place.name);
  if (place.port < rule.from || place.port > rule.to) return false;
  const { network } = rule;
  if (network === undefined) return isNamed(rule, place.host);
  const addresses = isLocalhost(place.host) ? LOOPBACKS : [place.host];
  return addresses.some((text) => {
    const address = parseAddress(text);
    return address !== undefined && isWithin(address, network);
  });
}

function isNamed({ name }: PlaceRule, given: string): boolean {
  return name === '*' || (name !== undefined && nameMatches(name, given));
}

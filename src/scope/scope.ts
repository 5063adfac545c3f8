/** A scope: for each patch, where its operations go. Immutable but for its working directory and its mask. */
import { runInContext } from '../base/context.ts';
import type { Channel } from '../connection/channel.ts';
import type { ChildrenChoice, EnvChoice, NetworkPlace, ScopeView, StdioChoice } from '../patch.ts';
import type { NetworkRules } from './network-rules.ts';
import type { PathRules } from './path-rules.ts';
import { PatchTarget } from './target.ts';

export interface ScopeInit {
  /** Patch name → where it goes; a patch that is not named is local. */
  readonly routes: ReadonlyMap<string, Channel>;
  readonly cwd: string;
  readonly umask?: number | undefined;
  readonly stdio: StdioChoice;
  readonly env: EnvChoice;
  /** What stdio 'local' means: a capture around it, if there is one. */
  readonly localStdio?: StdioChoice | undefined;
  readonly rules?: PathRules | undefined;
  readonly network?: NetworkRules | undefined;
  readonly isDefault?: boolean;
  readonly children?: ChildrenChoice | undefined;
}

/** The patches that a rule with `via` sends elsewhere. */
const NETWORK = ['net', 'dns', 'dgram'];

let lastId = 0;

export class Scope implements ScopeView {
  readonly id: number = ++lastId;
  readonly isDefault: boolean;
  readonly routes: ReadonlyMap<string, Channel>;
  readonly stdio: StdioChoice;
  readonly env: EnvChoice;
  readonly localStdio: StdioChoice;
  readonly rules: PathRules | undefined;
  readonly network: NetworkRules | undefined;
  readonly children: ChildrenChoice | undefined;
  cwd: string;
  umask: number | undefined;
  /** Names are part of a way: they may be resolved on another side. */
  readonly pool: string;
  readonly #init: ScopeInit;
  readonly #targets = new Map<string, PatchTarget>();
  readonly #detours = new Map<Channel, Scope>();

  constructor(init: ScopeInit) {
    this.#init = init;
    this.routes = init.routes;
    this.cwd = init.cwd;
    this.umask = init.umask;
    this.stdio = init.stdio;
    this.env = init.env;
    this.localStdio = init.localStdio ?? 'local';
    this.rules = init.rules;
    this.network = init.network;
    this.children = init.children;
    this.isDefault = init.isDefault ?? false;
    this.pool = poolOf(init);
    for (const [name, channel] of init.routes)
      this.#targets.set(name, new PatchTarget(name, this, channel));
  }

  get denies(): boolean {
    return this.rules?.denies ?? false;
  }

  get stepwise(): boolean {
    return this.denies || this.routes.get('fs')?.stepwise === true;
  }

  target(patch: string): PatchTarget | undefined {
    return this.#targets.get(patch);
  }

  forbids(place: NetworkPlace, connection: object): string | undefined {
    const verdict = this.network?.decide(place);
    if (verdict === undefined) return undefined;
    const isElsewhere =
      'protocol' in place &&
      place.protocol === 'udp' &&
      (verdict.side === 'local' || (verdict.channel ?? connection) !== connection);
    return verdict.side === 'deny' || isElsewhere ? sentence(verdict.rule) : undefined;
  }

  /** This scope with another far side's network. */
  through(channel: Channel): Scope {
    let scope = this.#detours.get(channel);
    if (scope === undefined) {
      const routes = new Map(this.routes);
      for (const name of NETWORK) if (routes.has(name)) routes.set(name, channel);
      scope = new Scope({ ...this.#init, routes, cwd: this.cwd });
      this.#detours.set(channel, scope);
    }
    return scope;
  }

  run<R>(fn: () => R): R {
    return runInContext(this, fn);
  }
}

function poolOf({ routes, network }: ScopeInit): string {
  const [net, dns] = ['net', 'dns'].map((name) => routes.get(name)?.id ?? 'local');
  return [
    net,
    ...(dns === net ? [] : [dns]),
    ...(network === undefined ? [] : [network.key]),
  ].join();
}

/** What a rule says, for the cause of an EACCES. */
export function sentence(rule: string): string {
  return `this scope's rule "${rule}" forbids it`;
}

/** A scope: for each patch, where its operations go. Immutable but for its working directory and its mask. */
import { runInContext } from '../base/context.ts';
import { ElsewhereError } from '../base/errors.ts';
import type { Channel } from '../connection/channel.ts';
import type { ChildrenChoice, EnvChoice, NetworkPlace, ScopeView, StdioChoice } from '../patch.ts';
import type { NetworkRules } from './network-rules.ts';
import type { PathRules } from './path-rules.ts';
import { replaceIn } from './replacements.ts';
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
  /** The scope around it. */
  readonly outer?: Scope | undefined;
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
  readonly #detours = new Map<string, Scope>();
  readonly #outer: Scope | undefined;
  /** Undoes replacements. */
  #undo: (() => void)[] = [];
  /** What the scope's function has given. */
  #result: unknown;
  #isOver = false;

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
    this.#outer = init.outer;
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

  /** This scope with another far side's network, or files. */
  through(channel: Channel, patches: readonly string[] = NETWORK): Scope {
    const key = `${patches} ${channel.id}`;
    let scope = this.#detours.get(key);
    if (scope === undefined) {
      const routes = new Map(this.routes);
      for (const name of patches) if (routes.has(name)) routes.set(name, channel);
      scope = new Scope({ ...this.#init, routes, cwd: this.cwd });
      this.#detours.set(key, scope);
    }
    return scope;
  }

  run<R>(fn: () => R): R {
    return runInContext(this, fn);
  }

  /** The same for the scope's own function: when it has settled, what was replaced in the scope is as it was. */
  runWhole<R>(fn: () => R): R {
    let result: R;
    try {
      result = this.run(fn);
    } catch (error) {
      this.#settled();
      throw error;
    }
    if (!(result instanceof Promise)) this.#settled();
    else {
      this.#result = result;
      if (this.#undo.length > 0) this.#watch();
    }
    return result;
  }

  /**
   * Gives a property another value for the code of this scope, and of those inside it, until the scope's function has
   * settled: `currentScope()?.replace(myserver, 'os', conn.sync.modules.os)`. Throws ERR_ELSEWHERE_UNSUPPORTED for a
   * property that cannot be redefined, and for a scope that is over.
   */
  replace<T extends object, K extends keyof T>(object: T, key: K, value: T[K]): void {
    if (this.#isOver)
      throw new ElsewhereError(
        'ERR_ELSEWHERE_UNSUPPORTED',
        `cannot replace ${String(key)}: the function of this scope has ended`,
      );
    this.#undo.push(replaceIn(this, object, key, value));
    if (this.#undo.length === 1 && this.#result !== undefined) this.#watch();
  }

  /** The scope and those around it, the innermost first. */
  *around(): Generator<Scope> {
    for (let scope: Scope | undefined = this; scope !== undefined; scope = scope.#outer)
      yield scope;
  }

  #watch(): void {
    const over = (): void => this.#settled();
    (this.#result as Promise<unknown>).then(over, over);
  }

  #settled(): void {
    this.#isOver = true;
    for (const undo of this.#undo.splice(0).reverse()) undo();
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

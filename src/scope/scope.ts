/** A scope: for each patch, where its operations go. Immutable but for its working directory and its mask. */
import { runInContext } from '../base/context.ts';
import type { Channel } from '../connection/channel.ts';
import type { ChildrenChoice, EnvChoice, ScopeView, StdioChoice } from '../patch.ts';
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
  readonly isDefault?: boolean;
  readonly children?: ChildrenChoice | undefined;
}

let lastId = 0;

export class Scope implements ScopeView {
  readonly id: number = ++lastId;
  readonly isDefault: boolean;
  readonly routes: ReadonlyMap<string, Channel>;
  readonly stdio: StdioChoice;
  readonly env: EnvChoice;
  readonly localStdio: StdioChoice;
  readonly rules: PathRules | undefined;
  readonly children: ChildrenChoice | undefined;
  cwd: string;
  umask: number | undefined;
  readonly #targets = new Map<string, PatchTarget>();

  constructor(init: ScopeInit) {
    this.routes = init.routes;
    this.cwd = init.cwd;
    this.umask = init.umask;
    this.stdio = init.stdio;
    this.env = init.env;
    this.localStdio = init.localStdio ?? 'local';
    this.rules = init.rules;
    this.children = init.children;
    this.isDefault = init.isDefault ?? false;
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

  run<R>(fn: () => R): R {
    return runInContext(this, fn);
  }
}

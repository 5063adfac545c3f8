/** The path filters of a scope: which paths stay local, are remote, are denied, or are read under another name. Pure. */
import { posix } from 'node:path';
import picomatch from 'picomatch';
import { ask, type PolicyVerdict, type ScopePolicy } from './scope-policy.ts';

export interface PathOptions {
  /** Globs, or directories (then everything below too), of paths that stay local. */
  readonly local?: readonly string[];
  /** Exceptions from `local`. */
  readonly remote?: readonly string[];
  /** Paths that fail with EACCES. */
  readonly deny?: readonly string[];
  /** Prefix here → prefix on the far side. */
  readonly map?: Readonly<Record<string, string>>;
}

/** With the rule that decided, for `explain`. */
export interface Verdict extends PolicyVerdict {
  /** After mapping; only meaningful for the remote side. */
  readonly path: string;
}

type Matcher = { readonly text: string; matches(path: string): boolean };

export class PathRules {
  readonly #deny: readonly Matcher[];
  readonly #remote: readonly Matcher[];
  readonly #local: readonly Matcher[];
  readonly #map: readonly (readonly [string, string])[];
  readonly #policy: ScopePolicy | undefined;

  constructor(options: PathOptions, policy?: ScopePolicy) {
    this.#policy = policy;
    this.#deny = (options.deny ?? []).map(matcher);
    this.#remote = (options.remote ?? []).map(matcher);
    this.#local = (options.local ?? []).map(matcher);
    this.#map = Object.entries(options.map ?? {}).map(([from, to]) => [
      stripSlash(posix.normalize(from)),
      stripSlash(to),
    ]);
  }

  /** There are paths that nothing may touch. */
  get denies(): boolean {
    return this.#deny.length > 0 || this.#policy !== undefined;
  }

  /** `cwd` is where a relative path starts. */
  decide(path: string, cwd: string, operation = 'explain'): Verdict {
    const absolute = posix.normalize(path.startsWith('/') ? path : `${cwd}/${path}`);
    const said = this.#policy && ask(this.#policy, { patch: 'fs', operation, path: absolute });
    if (said !== undefined) return { ...said, path: said.channel === undefined ? path : absolute };
    const denied = find(this.#deny, absolute);
    if (denied !== undefined) return { side: 'deny', path, rule: `deny ${denied}` };
    const remote = find(this.#remote, absolute);
    const local = remote === undefined ? find(this.#local, absolute) : undefined;
    if (local !== undefined) return { side: 'local', path, rule: `local ${local}` };
    const mapped = this.#mapped(absolute);
    if (mapped !== undefined) return { side: 'remote', ...mapped };
    return { side: 'remote', path, rule: remote === undefined ? 'default' : `remote ${remote}` };
  }

  #mapped(path: string): { path: string; rule: string } | undefined {
    for (const [from, to] of this.#map) {
      if (path === from || path.startsWith(`${from}/`))
        return { path: to + path.slice(from.length), rule: `map ${from}=${to}` };
    }
    return undefined;
  }
}

function find(matchers: readonly Matcher[], path: string): string | undefined {
  return matchers.find((matcher) => matcher.matches(path))?.text;
}

function matcher(text: string): Matcher {
  if (/[*?[\]{}]/.test(text)) {
    const isMatch = picomatch(text, { dot: true });
    return { text, matches: (path) => isMatch(path) };
  }
  const prefix = stripSlash(posix.normalize(text));
  return {
    text,
    matches: (path) => path === prefix || path.startsWith(`${prefix}/`) || prefix === '',
  };
}

function stripSlash(path: string): string {
  return path.endsWith('/') ? path.slice(0, -1) : path;
}

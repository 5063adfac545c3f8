/** Enters scopes: `withRemote`, `withLocal`, `bindScope`. Nothing global changes when a scope starts or ends. */
import { AsyncResource } from 'node:async_hooks';
import { currentContext, LOCAL, runInContext, setFallbackContext } from '../base/context.ts';
import { ElsewhereError } from '../base/errors.ts';
import type { Channel } from '../connection/channel.ts';
import type { AnyPatch, ChildrenChoice, EnvChoice, ScopeView, StdioChoice } from '../patch.ts';
import { currentScope, install, knownPatches } from './installer.ts';
import { type NetworkOptions, NetworkRules } from './network-rules.ts';
import { ownPorts } from './own-ports.ts';
import { type PathOptions, PathRules } from './path-rules.ts';
import { Scope } from './scope.ts';
import type { ScopePolicy } from './scope-policy.ts';

/** Anything that leads to a far side: a Connection. */
export interface Remote {
  readonly channel: Channel;
}

/** Options of `withRemote(conn, options, fn)`. */
export interface RemoteOptions {
  /** Only these patches go to the far side; the others stay as they are outside. Default: all. */
  readonly patches?: readonly string[];
  /** These patches stay as they are outside. */
  readonly except?: readonly string[];
  /** Which paths are local, remote, denied, or read under another name. */
  readonly paths?: PathOptions;
  /** Which places are connected to from here, from the far side, from another one, or not at all. */
  readonly net?: NetworkOptions;
  /**
   * A function that is asked about each path and each place before `paths` and `net`: where it goes, or undefined for what
   * those say. It is called often, runs here as local code, and must answer at once.
   */
  readonly policy?: ScopePolicy;
  /** Working directory on the far side. Default: the agent's own, or the surrounding scope's on the same connection. */
  readonly cwd?: string;
  /**
   * 'remote' (default); 'local': this process's, or those of a surrounding capture; 'tee': output goes to both; or for
   * each of stdin, stdout and stderr one of these or a stream of your own.
   */
  readonly stdio?: StdioChoice;
  /**
   * Whose environment `process.env` is: 'local', 'remote', 'merged' (ours, overlaid with the far side's but for what
   * describes a machine or a terminal) or 'none'. Default: the surrounding scope's, else 'local'.
   */
  readonly env?: EnvChoice;
}

/** Options of a whole program's scope. */
export interface ProgramOptions extends RemoteOptions {
  /** Where its children run. Default 'follow'. */
  readonly children?: ChildrenChoice;
  /** Pid of the process under which the program's own processes are: ports of theirs on this machine stay here. */
  readonly tree?: number;
}

/** `withRemote({ fs: a, net: b, stdio: 'local' }, fn)`: a far side, or 'local', for each patch; the rest is as outside. */
export type Composition = Readonly<Record<string, Remote | 'local'>>;

/** Runs `fn` with the far side's resources, and returns what it returns. */
export function withRemote<R>(remote: Remote | Composition, fn: () => R): R;
export function withRemote<R>(remote: Remote, options: RemoteOptions, fn: () => R): R;
export function withRemote<R>(
  remote: Remote | Composition,
  second: RemoteOptions | (() => R),
  third?: () => R,
): R {
  const fn = typeof second === 'function' ? second : third;
  if (typeof fn !== 'function')
    throw new ElsewhereError(
      'ERR_ELSEWHERE_ARGUMENT',
      'withRemote needs a function as its last argument',
    );
  checkPolicy(isRemote(remote) && typeof second === 'object' ? second.policy : undefined);
  const scope = isRemote(remote)
    ? remoteScope(remote.channel, typeof second === 'function' ? {} : second)
    : composedScope(remote);
  install();
  return scope.runWhole(fn);
}

/** Runs `fn`, and everything it starts, as local code, whatever surrounds it. */
export function withLocal<R>(fn: () => R): R {
  // Outside every scope there is nothing to leave; and AsyncLocalStorage is not free on Node 20.
  return currentContext() === undefined ? fn() : runInContext(LOCAL, fn);
}

/** A function that runs in the scope (and async context) in which it was bound, wherever it is called. */
export function bindScope<A extends unknown[], R>(fn: (...args: A) => R): (...args: A) => R {
  const scope = currentScope();
  const bound = AsyncResource.bind(fn as (...args: unknown[]) => unknown) as (...args: A) => R;
  if (scope?.isDefault !== true) return bound;
  return (...args) => scope.run(() => fn(...args));
}

/** Makes one scope the whole program's: `elsewhere run`. */
export function enterDefaultScope(remote: Remote, options: ProgramOptions): ScopeView {
  const scope = remoteScope(remote.channel, options, options.children ?? 'follow');
  install();
  setFallbackContext(scope);
  return scope;
}

export function isRemote(value: unknown): value is Remote {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as { channel?: { request?: unknown } }).channel?.request === 'function'
  );
}

function remoteScope(channel: Channel, options: ProgramOptions, children?: ChildrenChoice): Scope {
  checkNames([...(options.patches ?? []), ...(options.except ?? [])]);
  const outer = currentScope();
  const routes = new Map(outer?.routes);
  for (const patch of knownPatches()) if (chosen(patch, options)) routes.set(patch.name, channel);
  const stdio = options.stdio ?? 'remote';
  checkEnv(options.env, routes.get('process') === channel);
  const stdioChosen = routes.get('stdio') === channel;
  if (stdioChosen && stdio === 'local') routes.delete('stdio');
  return new Scope({
    routes,
    cwd: options.cwd ?? startDirectory(outer, channel),
    umask: startMask(outer, channel),
    stdio: stdioIn(stdioChosen ? stdio : outer?.stdio, outer),
    localStdio: outer?.localStdio,
    env: options.env ?? outer?.env ?? 'local',
    rules: pathRules(options),
    network: networkRules(options),
    outer,
    isDefault: children !== undefined,
    children,
  });
}

function pathRules({ paths, policy }: RemoteOptions): PathRules | undefined {
  if (paths === undefined && policy === undefined) return undefined;
  return new PathRules(paths ?? {}, policy);
}

function networkRules({ net, policy, tree }: ProgramOptions): NetworkRules | undefined {
  if (net === undefined && policy === undefined && tree === undefined) return undefined;
  const own = tree === undefined ? {} : { isOwnPort: ownPorts(tree) };
  return new NetworkRules(net ?? {}, { policy, ...own });
}

function chosen(patch: AnyPatch, options: RemoteOptions): boolean {
  const names = patch.follows === undefined ? [patch.name] : [patch.name, patch.follows];
  if (names.some((name) => options.except?.includes(name))) return false;
  return options.patches === undefined || names.some((name) => options.patches?.includes(name));
}

function composedScope(composition: Composition): Scope {
  checkNames(Object.keys(composition));
  const outer = currentScope();
  const routes = new Map(outer?.routes);
  for (const patch of knownPatches()) {
    const choice = composition[patch.name] ?? composition[patch.follows ?? patch.name];
    if (choice !== undefined) setRoute(routes, patch.name, choice);
  }
  const files = routes.get('fs') ?? routes.get('child_process');
  return new Scope({
    routes,
    cwd: files === undefined ? (outer?.cwd ?? '/') : startDirectory(outer, files),
    umask: startMask(outer, files),
    stdio:
      composition['stdio'] === undefined
        ? (outer?.stdio ?? 'local')
        : stdioIn(routes.has('stdio') ? 'remote' : 'local', outer),
    localStdio: outer?.localStdio,
    env: outer?.env ?? 'local',
    rules: outer?.rules,
    network: outer?.network,
    outer,
    children: composition['child_process'] === undefined ? outer?.children : undefined,
  });
}

function setRoute(routes: Map<string, Channel>, patch: string, choice: unknown): void {
  if (choice === 'local') routes.delete(patch);
  else if (isRemote(choice)) routes.set(patch, choice.channel);
  else
    throw new ElsewhereError('ERR_ELSEWHERE_ARGUMENT', `${patch} must be a connection or 'local'`);
}

/** 'local' inside a capture means the capture. */
function stdioIn(choice: StdioChoice | undefined, outer: Scope | undefined): StdioChoice {
  return choice === undefined || choice === 'local' ? (outer?.localStdio ?? 'local') : choice;
}

/** A nested scope on the same far side starts where its surroundings are. */
function startDirectory(outer: Scope | undefined, channel: Channel): string {
  return outer !== undefined && outer.routes.get('fs') === channel ? outer.cwd : channel.peer.cwd;
}

/** And with the mask that holds there. */
function startMask(outer: Scope | undefined, channel: Channel | undefined): number | undefined {
  return outer?.routes.get('fs') === channel ? outer?.umask : undefined;
}

function checkPolicy(policy: unknown): void {
  if (policy === undefined || typeof policy === 'function') return;
  throw new ElsewhereError(
    'ERR_ELSEWHERE_ARGUMENT',
    'policy must be a function; the rules of an agent are an option of serve',
  );
}

function checkEnv(env: EnvChoice | undefined, routed: boolean): void {
  if (env !== undefined && !['local', 'remote', 'merged', 'none'].includes(env))
    throw new ElsewhereError(
      'ERR_ELSEWHERE_ARGUMENT',
      `env is 'local', 'remote', 'merged' or 'none', not ${JSON.stringify(env)}`,
    );
  if (env !== undefined && env !== 'local' && !routed)
    throw new ElsewhereError(
      'ERR_ELSEWHERE_ARGUMENT',
      `env: '${env}' needs the patch process (or fs, which it follows) in this scope`,
    );
}

function checkNames(names: readonly string[]): void {
  const known = knownPatches().map((patch) => patch.name);
  for (const name of names) {
    if (!known.includes(name)) {
      throw new ElsewhereError(
        'ERR_ELSEWHERE_ARGUMENT',
        `there is no patch named ${JSON.stringify(name)}; there are: ${known.join(', ')}`,
      );
    }
  }
}

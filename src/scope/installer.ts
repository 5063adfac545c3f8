/** Puts the dispatchers of all patches in place, once per process, and takes them back. */
import { syncBuiltinESMExports } from 'node:module';
import { currentContext, runBriefly, runLocally } from '../base/context.ts';
import { ElsewhereError } from '../base/errors.ts';
import { beneathForwards } from '../base/forwards.ts';
import { packageVersion } from '../base/version.ts';
import type {
  AnyPatch,
  Decision,
  LocalContext,
  NetworkPlace,
  RemoteStream,
  Routing,
  Target,
} from '../patch.ts';
import { expectAnswers } from './expected.ts';
import { Ledger } from './ledger.ts';
import { Scope, sentence } from './scope.ts';
import { typedTarget } from './target.ts';

type AnyCalls = Record<string, (...args: never[]) => unknown>;
type AnyStreams = Record<string, (stream: RemoteStream, ...args: never[]) => void>;
type AnyTarget = Target<AnyCalls, AnyStreams>;
type AnyContext = LocalContext<AnyCalls, AnyStreams>;

const KEY = Symbol.for('elsewhere.installed');

let patches: readonly AnyPatch[] = [];
let ledger: Ledger | undefined;

/** Tells which patches there are; their order is the order of substitution. The first composition root says it. */
export function setPatches(list: readonly AnyPatch[]): void {
  if (patches.length > 0) return;
  patches = list;
  expectAnswers(list);
}

/** One more, behind the others. Throws ERR_ELSEWHERE_ARGUMENT for a name that is taken, and when they are in place. */
export function addPatch(patch: AnyPatch): void {
  const refuse = (why: string): never => {
    throw new ElsewhereError(
      'ERR_ELSEWHERE_ARGUMENT',
      `cannot define the patch ${patch.name}: ${why}`,
    );
  };
  if (!/^[a-z][\w-]*$/i.test(String(patch.name))) refuse('its name must be a word');
  if (patches.some(({ name }) => name === patch.name)) refuse('there is one of that name');
  if (ledger !== undefined) refuse('define patches before the first scope');
  patches = [...patches, patch];
  expectAnswers([patch]);
}

export function knownPatches(): readonly AnyPatch[] {
  return patches;
}

/** Substitutes everything that the patches cover. Does nothing when that is done. Half an installation is undone on failure. */
export function install(): void {
  if (ledger !== undefined) return;
  claimProcess();
  const fresh = new Ledger();
  beneathForwards(() => substituteAll(fresh));
  ledger = fresh;
  syncBuiltinESMExports();
}

function substituteAll(ledger: Ledger): void {
  try {
    // What a patch does while it installs is the toolkit's own work.
    runLocally(() => {
      for (const patch of inOrder()) patch.local?.(contextOf(patch, ledger) as never);
    });
  } catch (error) {
    ledger.undo();
    releaseProcess();
    throw error;
  }
}

/** Restores every property as it was, ESM bindings included. Handles opened in scopes go on working. */
export function uninstall(): void {
  const installed = ledger;
  if (installed === undefined) return;
  ledger = undefined;
  beneathForwards(() => installed.undo());
  releaseProcess();
  syncBuiltinESMExports();
}

export function isInstalled(): boolean {
  return ledger !== undefined;
}

function inOrder(): readonly AnyPatch[] {
  const seen = new Set<string>();
  for (const patch of patches) {
    for (const needed of patch.requires ?? []) {
      if (!seen.has(needed))
        throw new ElsewhereError(
          'ERR_ELSEWHERE_ARGUMENT',
          `the patch ${patch.name} needs ${needed} before it`,
        );
    }
    seen.add(patch.name);
  }
  return patches;
}

/** Two copies of the package would substitute each other's substitutes. */
function claimProcess(): void {
  const holder = globalThis as { [KEY]?: string };
  if (holder[KEY] !== undefined) {
    throw new ElsewhereError(
      'ERR_ELSEWHERE_UNSUPPORTED',
      `another copy of elsewhere (${holder[KEY]}) is installed in this process: make sure that there is one only (npm ls elsewhere)`,
    );
  }
  Object.defineProperty(globalThis, KEY, {
    value: packageVersion,
    configurable: true,
    enumerable: false,
  });
}

function releaseProcess(): void {
  Reflect.deleteProperty(globalThis, KEY);
}

function currentScopeObject(): Scope | undefined {
  const context = currentContext();
  return context instanceof Scope ? context : undefined;
}

export function currentScope(): Scope | undefined {
  return currentScopeObject();
}

function contextOf(patch: AnyPatch, ledger: Ledger): AnyContext {
  const { name } = patch;
  return {
    target: () => {
      const target = currentScopeObject()?.target(name);
      return target === undefined ? undefined : typedTarget<AnyTarget>(target);
    },
    decide: (path, operation) => decide(name, path, operation),
    route: (place) => route(name, place),
    scope: currentScopeObject,
    locally: runLocally,
    replace: (object, key, value) => ledger.replace(object, key, value),
    redefine: (object, key, descriptor) => ledger.redefine(object, key, descriptor),
    onUninstall: (undo) => ledger.onUninstall(undo),
  };
}

function decide(
  patch: string,
  path: string,
  operation: string,
): Decision<AnyCalls, AnyStreams> | undefined {
  const scope = currentScopeObject();
  const found = scope?.target(patch);
  if (scope === undefined || found === undefined) return undefined;
  const target = typedTarget<AnyTarget>(found);
  if (scope.rules === undefined) return { target, path };
  const { side, path: there, rule, channel } = scope.rules.decide(path, scope.cwd, operation);
  if (side === 'deny') throw denied(path, operation, rule);
  if (side === 'local') return undefined;
  if (channel === undefined || channel === target.connection) return { target, path: there };
  const other = scope.through(channel, [patch]).target(patch);
  return { target: typedTarget<AnyTarget>(other as NonNullable<typeof other>), path: there };
}

const asItIs = <R>(fn: () => R): R => fn();

function route(patch: string, place: NetworkPlace): Routing<AnyCalls, AnyStreams> {
  const scope = currentScopeObject();
  const found = scope?.target(patch);
  if (scope === undefined || found === undefined) return { target: undefined, run: asItIs };
  const target = typedTarget<AnyTarget>(found);
  const verdict = scope.network?.decide(place);
  if (verdict?.side === 'local') return { target: undefined, run: runLocally };
  if (verdict?.side === 'deny') return { target, denied: sentence(verdict.rule), run: asItIs };
  if (verdict?.channel === undefined) return { target, run: asItIs };
  const other = scope.through(verdict.channel);
  const there = other.target(patch);
  return {
    target: there === undefined ? undefined : typedTarget<AnyTarget>(there),
    run: (fn) => runBriefly(other, fn),
  };
}

/** Shaped as Node's own EACCES, so that programs that know it behave; the cause tells whose rule it was. */
function denied(path: string, operation: string, rule: string): Error {
  const cause = new ElsewhereError(
    'ERR_ELSEWHERE_DENIED',
    `this scope's rule "${rule}" denies ${path}`,
  );
  const error = new Error(`EACCES: permission denied, ${operation} '${path}'`, { cause });
  return Object.assign(error, { errno: -13, code: 'EACCES', syscall: operation, path });
}

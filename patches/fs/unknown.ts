/**
 * What a Node newer than this code may bring: a function of the binding that has no substitute, or a public function
 * that no longer goes through the binding. In a scope both refuse a far path: never a silent access to a local file.
 */
import fs from 'node:fs';
import { ElsewhereError } from '../../src/base/errors.ts';
import type { ScopeView } from '../../src/patch.ts';
import type { FsContext, FsTarget } from './api.ts';
import { type BindingFunction, type FsBinding, LOADER_ONLY } from './binding.ts';
import { isDescriptor } from './descriptors.ts';
import { isLoading } from './loader.ts';
import { givenPath, isPath, remotePath } from './paths.ts';
import { type PublicFunction, replaceFunction } from './public-forms.ts';

/** Classes of the binding: none takes a path in a way that the substitutes do not see. */
const CLASSES: readonly string[] = [
  'CpDirJob',
  'FSReqCallback',
  'FileHandle',
  'ReadFileJob',
  'StatWatcher',
  'WriteFileJob',
];

/** Functions of the binding that this code does not know. */
export function unknownFunctions(binding: FsBinding, known: ReadonlySet<string>): string[] {
  return Object.keys(binding).filter(
    (name) =>
      typeof binding[name] === 'function' &&
      !known.has(name) &&
      !CLASSES.includes(name) &&
      !LOADER_ONLY.includes(name),
  );
}

export function guardUnknown(
  context: FsContext,
  binding: FsBinding,
  known: ReadonlySet<string>,
): void {
  for (const name of unknownFunctions(binding, known)) {
    const original = binding[name] as BindingFunction;
    context.replace(binding, name, function (this: unknown, ...args: unknown[]): unknown {
      if (isDescriptor(args[0]) || (isPath(args[0]) && isFar(context, args[0])))
        throw notCovered(name);
      return original.apply(this, args);
    });
  }
}

function isFar(context: FsContext, path: unknown): boolean {
  if (context.target() === undefined || isLoading()) return false;
  const given = givenPath(path);
  return given !== undefined && remotePath(context, given, 'open') !== undefined;
}

function notCovered(name: string): ElsewhereError {
  return new ElsewhereError(
    'ERR_ELSEWHERE_UNSUPPORTED',
    `fs ${name} of Node ${process.versions.node} is newer than this version of elsewhere and would use local files: update elsewhere, or call it in withLocal(fn)`,
  );
}

/** Release lines of Node whose every function is tested. */
const TESTED: ReadonlySet<string> = new Set(['20', '22', '24', '26']);

/** Public functions that reach the binding within the call, and what they are called with after the path. */
const PROBES: Readonly<Record<string, readonly unknown[]>> = {
  accessSync: [],
  existsSync: [],
  lstatSync: [],
  mkdirSync: [],
  openSync: ['r'],
  opendirSync: [],
  readFileSync: [],
  readdirSync: [],
  readlinkSync: [],
  realpathSync: [],
  renameSync: ['/elsewhere-probe-too'],
  rmSync: [{ force: true }],
  rmdirSync: [],
  statSync: [],
  unlinkSync: [],
};
/** Options that choose another way through Node's code. */
const MORE_PROBES: readonly (readonly [name: string, ...rest: unknown[]])[] = [
  ['readFileSync', 'utf8'],
  ['readdirSync', { withFileTypes: true }],
  ['readdirSync', { recursive: true }],
];

export function isTested(version: string): boolean {
  return TESTED.has(version.split('.')[0] ?? '');
}

/** On a release line that was not tested: what does not ask the far side is made to refuse far paths. */
export class Probes {
  /** The same context, which has a far side of ours while it is probed. */
  readonly context: FsContext;
  #target: FsTarget | undefined;
  #asked = false;

  constructor(given: FsContext) {
    this.context = {
      ...given,
      target: () => this.#target ?? given.target(),
      decide: (path, operation) =>
        this.#target === undefined ? given.decide(path, operation) : { target: this.#target, path },
    };
  }

  guardBypassing(): void {
    const { context } = this;
    for (const name of this.bypassing()) {
      replaceFunction(context, fs, name, (original) => {
        return function (this: unknown, ...args: unknown[]): unknown {
          if (isFar(context, args[0])) throw notCovered(name);
          return original.apply(this, args);
        };
      });
    }
  }

  /** Public functions that did not ask a far side about a path that does not exist here. */
  bypassing(): ReadonlySet<string> {
    const table = fs as unknown as Record<string, PublicFunction | undefined>;
    const simple = Object.entries(PROBES).map(([name, rest]) => [name, ...rest] as const);
    const found = new Set<string>();
    this.#target = this.#recorder();
    try {
      for (const [name, ...rest] of [...simple, ...MORE_PROBES])
        if (!this.#asks(table[name], rest)) found.add(name);
    } finally {
      this.#target = undefined;
    }
    return found;
  }

  #asks(probe: PublicFunction | undefined, rest: readonly unknown[]): boolean {
    this.#asked = false;
    try {
      probe?.call(fs, '/elsewhere-probe', ...rest);
    } catch {
      // Whether the far side was asked is what matters.
    }
    return this.#asked || probe === undefined;
  }

  #recorder(): FsTarget {
    const scope: ScopeView = {
      id: 0,
      isDefault: false,
      denies: false,
      stepwise: false,
      cwd: '/',
      stdio: 'local',
      pool: '',
      forbids: () => undefined,
      run: (fn) => fn(),
    };
    const callSync = (): never => {
      this.#asked = true;
      throw new Error('only asked');
    };
    const peer = { platform: process.platform };
    return { scope, peer, connection: {}, callSync } as unknown as FsTarget;
  }
}

/**
 * process.stdout, stderr, stdin and console per scope. Three ways lead to a standard stream: the accessor on process,
 * console's private copy of it, and a reference that somebody took earlier; all three are covered.
 */
import nodeConsole from 'node:console';
import { markFarStandard, provideStandards } from '../../src/base/far-handles.ts';
import { lastWords } from '../../src/base/last-words.ts';
import { likeOriginal } from '../../src/base/shape.ts';
import type { LocalContext, ScopeView, Target } from '../../src/patch.ts';
import type { StdioCalls, StdioStreams } from './api.ts';
import { RemoteInput } from './input.ts';
import { RemoteOutput } from './output.ts';
import { standardOf } from './standard.ts';
import { Tee } from './tee.ts';

type Context = LocalContext<StdioCalls, StdioStreams>;
type Name = 'stdin' | 'stdout' | 'stderr';
type RemoteSet = {
  readonly stdin: RemoteInput;
  readonly stdout: RemoteOutput;
  readonly stderr: RemoteOutput;
};

/** What may hold output when the program ends. */
type Flushed = { flushNow(): void };

export function stdioLocal(context: Context): void {
  const remoteSets = new WeakMap<object, RemoteSet>();
  const outputs = new Set<Flushed>();

  const remoteSet = (target: Target<StdioCalls, StdioStreams>): RemoteSet => {
    let set = remoteSets.get(target.connection);
    if (set !== undefined) return set;
    // Nothing is asked here: Node itself looks at process.stderr whenever a socket is destroyed (lib/net.js).
    set = {
      stdin: new RemoteInput(target),
      stdout: new RemoteOutput(target, 1),
      stderr: new RemoteOutput(target, 2),
    };
    for (const stream of Object.values(set)) markFarStandard(stream, target.connection);
    outputs.add(set.stdout).add(set.stderr);
    remoteSets.set(target.connection, set);
    return set;
  };

  /** The current scope's stream; undefined where it is this process's own. */
  const scoped = (name: Name): unknown => {
    const scope = context.scope();
    const way = wayOf(scope, name);
    if (typeof way === 'object') return way;
    const target = way === 'local' ? undefined : context.target();
    if (target === undefined) return undefined;
    const set = remoteSet(target);
    if (way === 'remote' || name === 'stdin') return set[name];
    const own = originals[name].get?.call(process) as NodeJS.WriteStream;
    return teeOf(set[name], own);
  };

  const tees = new Map<RemoteOutput, Tee>();
  const teeOf = (far: RemoteOutput, here: NodeJS.WriteStream): Tee => {
    const known = tees.get(far) ?? new Tee(far, here, context.locally);
    tees.set(far, known);
    // Before what it leads to: what it still holds goes there.
    outputs.delete(far);
    outputs.add(known).add(far);
    return known;
  };

  const originals = {
    stdin: accessor('stdin'),
    stdout: accessor('stdout'),
    stderr: accessor('stderr'),
  };
  for (const name of ['stdin', 'stdout', 'stderr'] as const) {
    const { enumerable, get } = originals[name];
    context.redefine(process, name, {
      configurable: true,
      enumerable: enumerable ?? true,
      get: () => scoped(name) ?? get?.call(process),
    });
  }
  for (const name of ['stdout', 'stderr'] as const) {
    const real = originals[name].get?.call(process) as NodeJS.WriteStream;
    substituteConsole(context, name, () => scoped(name) ?? real);
    substituteWrite(context, real, () => scoped(name) as NodeJS.WriteStream | undefined);
  }
  if (globalThis.console !== nodeConsole)
    substituteForeignConsole(context, () => scoped('stdout') ?? scoped('stderr'));
  flushAtExit(context, outputs);
  provideStandards((descriptor) => {
    const name = NAMES[descriptor] as Name;
    const stream = scoped(name);
    return stream === undefined ? undefined : standardOf(stream, descriptor, context);
  });
}

const NAMES: readonly Name[] = ['stdin', 'stdout', 'stderr'];

function wayOf(scope: ScopeView | undefined, name: Name): 'remote' | 'local' | 'tee' | object {
  if (scope === undefined) return 'local';
  return typeof scope.stdio === 'object' ? (scope.stdio[name] ?? 'remote') : scope.stdio;
}

function accessor(name: Name): PropertyDescriptor {
  return Object.getOwnPropertyDescriptor(process, name) as PropertyDescriptor;
}

/** The console keeps the stream of its first use (lib/internal/console/constructor.js, kBindStreamsLazy). */
function substituteConsole(context: Context, name: 'stdout' | 'stderr', get: () => unknown): void {
  const before = Object.getOwnPropertyDescriptor(nodeConsole, `_${name}`);
  // An assignment to it, as some test tools make, goes on working.
  let assigned: unknown;
  context.redefine(nodeConsole, `_${name}`, {
    configurable: true,
    enumerable: before?.enumerable ?? false,
    get: () => assigned ?? get(),
    set: (value: unknown) => (assigned = value),
  });
}

/**
 * Test runners put a console of their own in the place of Node's, with decorations and buffers. In a scope whose streams
 * are not the process's, what is printed is what Node's prints; elsewhere the runner's is left alone.
 */
function substituteForeignConsole(context: Context, scoped: () => unknown): void {
  const foreign = globalThis.console as unknown as Record<string, unknown>;
  const plain = nodeConsole as unknown as Record<string, unknown>;
  for (const name of Object.keys(plain)) {
    const [own, nodes] = [foreign[name], plain[name]];
    if (typeof own !== 'function' || typeof nodes !== 'function') continue;
    const dispatch = function (this: unknown, ...args: unknown[]): unknown {
      return Reflect.apply(scoped() === undefined ? own : nodes, this, args);
    };
    context.redefine(foreign, name, {
      configurable: true,
      writable: true,
      enumerable: Object.getOwnPropertyDescriptor(foreign, name)?.enumerable ?? false,
      value: likeOriginal(own as () => unknown, dispatch),
    });
  }
}

/** For references taken before: an own `write` that asks the scope. */
function substituteWrite(
  context: Context,
  real: NodeJS.WriteStream,
  scoped: () => NodeJS.WriteStream | undefined,
): void {
  const write = real.write as (...args: unknown[]) => boolean;
  const dispatch = function (this: NodeJS.WriteStream, ...args: unknown[]): boolean {
    const other = this === real ? scoped() : undefined;
    if (other === undefined || other === real) return write.apply(this, args);
    return (other.write as (...args: unknown[]) => boolean)(...args);
  };
  const own = Object.getOwnPropertyDescriptor(real, 'write');
  context.redefine(real, 'write', {
    configurable: true,
    writable: true,
    enumerable: own?.enumerable ?? false,
    value: dispatch,
  });
}

/** What was printed last must not be lost because the program ends: what is not confirmed goes by blocking calls. */
function flushAtExit(context: Context, outputs: ReadonlySet<Flushed>): void {
  const flush = (): void => {
    for (const output of outputs) {
      try {
        output.flushNow();
      } catch {
        // The connection is gone, and with it the only place to say so.
      }
    }
  };
  // Before the program's own listeners, which may print too: from then on output goes by blocking calls.
  process.prependListener('exit', flush);
  lastWords.add(flush);
  context.onUninstall(() => {
    process.off('exit', flush);
    lastWords.delete(flush);
  });
}

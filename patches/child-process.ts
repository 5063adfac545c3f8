/**
 * Children are not started on the far side yet, and one started here would silently use this machine: in a scope they
 * are refused, with what to do. Under `elsewhere run` children are local programs that follow their parent's scope; that
 * works through the environment, so an environment of their own must not lose it.
 */
import nodeChildProcess from 'node:child_process';
import { ElsewhereError } from '../src/base/errors.ts';
import { nodeBinding } from '../src/base/node-binding.ts';
import { type AnyPatch, definePatch, type LocalContext } from '../src/patch.ts';

type NoCalls = Record<never, never>;
/** Both forms of lib/child_process.js hand the environment down as `NAME=value` pairs. */
interface SpawnOptions {
  envPairs?: string[] | undefined;
}
interface SpawnSyncBinding {
  spawn(options: SpawnOptions): unknown;
}
interface Spawner {
  spawn(this: unknown, options: SpawnOptions): unknown;
}

const FOLLOWING = ['ELSEWHERE_URL', 'ELSEWHERE_TOKEN', 'ELSEWHERE_RUN'] as const;

function local(context: LocalContext<NoCalls>): void {
  const { ChildProcess } = nodeChildProcess;
  const prototype = ChildProcess.prototype as unknown as Spawner;
  const { spawn } = prototype;
  context.replace(
    prototype,
    'spawn',
    function spawnInScope(this: unknown, options: SpawnOptions): unknown {
      return spawn.call(this, prepared(context, options));
    },
  );
  // Captured by lib/internal/child_process.js as an object, so its function can be replaced.
  const binding = nodeBinding<SpawnSyncBinding>('spawn_sync');
  if (binding === undefined) return;
  const spawnSync = binding.spawn;
  context.replace(binding, 'spawn', (options: SpawnOptions) =>
    spawnSync.call(binding, prepared(context, options)),
  );
}

function prepared(context: LocalContext<NoCalls>, options: SpawnOptions): SpawnOptions {
  const target = context.target();
  if (target === undefined) return options;
  if (!target.scope.isDefault) {
    throw new ElsewhereError(
      'ERR_ELSEWHERE_UNSUPPORTED',
      'child processes cannot be started on the far side yet: start them with conn.run there, or here with withLocal or except: ["child_process"]',
    );
  }
  if (Array.isArray(options?.envPairs)) options.envPairs = following(options.envPairs);
  return options;
}

/** The pairs with what makes a Node program enter the scope, where they lack it. */
function following(pairs: readonly string[]): string[] {
  const names = new Set(pairs.map((pair) => pair.slice(0, pair.indexOf('='))));
  const missing = FOLLOWING.filter((name) => !names.has(name) && process.env[name] !== undefined);
  if (missing.length === 0) return [...pairs];
  const preload = preloadOption();
  const own = pairs.find((pair) => pair.startsWith('NODE_OPTIONS='))?.slice('NODE_OPTIONS='.length);
  const rest = pairs.filter((pair) => !pair.startsWith('NODE_OPTIONS='));
  const options = [preload, own].filter(Boolean).join(' ');
  return [
    ...rest,
    ...missing.map((name) => `${name}=${process.env[name]}`),
    `NODE_OPTIONS=${options}`,
  ];
}

/** The part of our own NODE_OPTIONS that names the preload: `elsewhere run` puts it first. */
function preloadOption(): string {
  return /^--require (?:"(?:[^"\\]|\\.)*"|\S+)/.exec(process.env['NODE_OPTIONS'] ?? '')?.[0] ?? '';
}

export const childProcessPatch: AnyPatch = definePatch<NoCalls>({ name: 'child_process', local });

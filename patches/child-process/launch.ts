/** From what Node's own code tells its native `spawn` to what the far side is asked. */
import { posix, win32 } from 'node:path';
import { isAsStarted } from '../../src/base/start-environment.ts';
import type { ChildTarget, FarEnvironment, Launch } from './api.ts';
import type { NativeSpawn } from './binding.ts';
import { nameOf, OWN_SETTINGS } from './own-settings.ts';

/** This program's own Node: on the far side the agent's takes its place. */
const ownNode = process.execPath;
const ownEnvironment = process.env;

export function launchOf(target: ChildTarget, spawn: NativeSpawn): Launch {
  const isNode = spawn.file === ownNode;
  const args = spawn.args ?? [];
  const ownName = isNode && args[0] === ownNode;
  return {
    file: isNode ? null : spawn.file,
    args: ownName ? args.slice(1) : args,
    ownName,
    cwd: directory(target, spawn.cwd),
    env: environment(spawn.envPairs ?? []),
    detached: spawn.detached === true,
    uid: spawn.uid ?? null,
    gid: spawn.gid ?? null,
    umask: target.scope.umask ?? null,
    windowsHide: spawn.windowsHide === true,
    windowsVerbatimArguments: spawn.windowsVerbatimArguments === true,
  };
}

/** The scope's directory, where a relative path starts too. */
function directory(target: ChildTarget, given: string | Uint8Array | undefined): string {
  const { scope, peer } = target;
  if (given === undefined || given === null) return scope.cwd;
  const text = typeof given === 'string' ? given : Buffer.from(given).toString();
  const { isAbsolute, join } = peer.platform === 'win32' ? win32 : posix;
  return isAbsolute(text) ? text : join(scope.cwd, text);
}

/**
 * The far side's own environment, and on top what the program has set: `{ ...process.env, NAME: 'x' }`, or no environment
 * at all, must not bring this machine's PATH and HOME along. In a scope whose `process.env` is the far side's, it is exact.
 */
function environment(pairs: readonly string[]): FarEnvironment {
  // What makes children here enter the scope is of no use there, and the token is nobody's business.
  const meant = pairs.filter(
    (pair) =>
      !OWN_SETTINGS.includes(nameOf(pair)) && !(pair.startsWith('NODE_OPTIONS=') && isOwn(pair)),
  );
  if (process.env !== ownEnvironment) return { own: false, set: meant };
  return { own: true, set: meant.filter((pair) => !isOwn(pair)) };
}

function isOwn(pair: string): boolean {
  const name = nameOf(pair);
  return isAsStarted(name, pair.slice(name.length + 1));
}

/** Arguments of a fork without the flags of this process (`--import`, `--inspect`), which Node passes on by default. */
export function withoutOwnFlags(args: readonly string[]): readonly string[] {
  const { execArgv } = process;
  const inherited = execArgv.every((flag, index) => args[index + 1] === flag);
  return inherited ? [...args.slice(0, 1), ...args.slice(1 + execArgv.length)] : args;
}

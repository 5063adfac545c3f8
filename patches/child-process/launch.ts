/** From what Node's own code tells its native `spawn` to what the far side is asked. */
import { posix, win32 } from 'node:path';
import type { ChildTarget, FarEnvironment, Launch } from './api.ts';
import type { NativeSpawn } from './binding.ts';

/** This program's own Node: on the far side the agent's takes its place. */
const ownNode = process.execPath;
const ownEnvironment = process.env;

/** What makes Node programs here follow: the preload's file and the URL are this machine's. */
const FOLLOWING = /^(?:ELSEWHERE_[A-Z]+|NODE_OPTIONS)=/;

/** `explicit`: the caller gave an environment. */
export function launchOf(target: ChildTarget, spawn: NativeSpawn, explicit: boolean): Launch {
  const isNode = spawn.file === ownNode;
  const args = spawn.args ?? [];
  return {
    file: isNode ? null : spawn.file,
    args: isNode && args[0] === ownNode ? args.slice(1) : args,
    cwd: directory(target, spawn.cwd),
    env: environment(spawn.envPairs ?? [], explicit),
    detached: spawn.detached === true,
    uid: spawn.uid ?? null,
    gid: spawn.gid ?? null,
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
 * The far side's own environment, and on top what the caller passes on purpose: `{ ...process.env, NAME: 'x' }` must
 * not bring this machine's PATH and HOME along. In a scope whose `process.env` is the far side's, it is exact.
 */
function environment(pairs: readonly string[], explicit: boolean): FarEnvironment {
  if (process.env !== ownEnvironment)
    return { own: false, set: pairs.filter((pair) => !(FOLLOWING.test(pair) && isOwn(pair))) };
  const added = pairs.filter((pair) => !isOwn(pair));
  const channel = added.filter((pair) => pair.startsWith('NODE_CHANNEL_'));
  return { own: true, set: explicit ? added : channel };
}

function isOwn(pair: string): boolean {
  const at = pair.indexOf('=', 1);
  return ownEnvironment[pair.slice(0, at)] === pair.slice(at + 1);
}

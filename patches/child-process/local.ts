/**
 * The local half. All of `child_process` comes down to two native functions: `spawn` of the process handle under
 * `ChildProcess`, and `spawn` of the blocking forms. Both are replaced; what is above them stays Node's.
 */
import nodeChildProcess from 'node:child_process';
import { ElsewhereError } from '../../src/base/errors.ts';
import { pairsForHere } from '../../src/base/far-environment.ts';
import { nodeBinding } from '../../src/base/node-binding.ts';
import type { ChildContext } from './api.ts';
import { type NativeProcess, processPrototype, readSpawnArguments } from './binding.ts';
import { following, staysHere } from './following.ts';
import { runForwarding, spawnForwarding } from './forwarding.ts';
import { withoutOwnFlags } from './launch.ts';
import { spawnFar } from './spawn.ts';
import { runFar, type SyncOptions } from './sync.ts';

/** What `ChildProcess.prototype.spawn` is told; changed in place by Node's own code. */
interface SpawnOptions {
  readonly file?: unknown;
  readonly env?: object | undefined;
  readonly execArgv?: unknown;
  readonly stdio?: unknown;
  args?: readonly string[] | undefined;
  envPairs?: string[] | undefined;
}

interface Child {
  send?(message: unknown, handle?: unknown, ...rest: unknown[]): boolean;
}

export function childLocal(context: ChildContext): void {
  const prototype = nodeChildProcess.ChildProcess.prototype as unknown as {
    spawn(this: Child, options: SpawnOptions): unknown;
  };
  const { spawn } = prototype;
  context.replace(prototype, 'spawn', function spawnInScope(this: Child, options: SpawnOptions) {
    const target = context.target();
    if (typeof options !== 'object' || options === null) return spawn.call(this, options);
    if (target === undefined) return spawn.call(this, forHere(context, options));
    if (staysHere(context, target, options.file))
      return spawn.call(this, followed(forHere(context, options)));
    if (isFork(options)) options.args = withoutOwnFlags(options.args ?? []);
    try {
      return spawn.call(this, options);
    } finally {
      refuseHandles(this);
    }
  });
  replaceNative(context);
  replaceSync(context);
}

function replaceNative(context: ChildContext): void {
  const native = processPrototype();
  const { spawn } = native;
  context.replace(native, 'spawn', function spawnProcess(this: NativeProcess, ...args: unknown[]) {
    const target = context.target();
    const told = readSpawnArguments(args);
    if (target === undefined || staysHere(context, target, told.file))
      return spawnForwarding(this, told, target === undefined) ?? Reflect.apply(spawn, this, args);
    return spawnFar(target, this, told);
  });
}

function replaceSync(context: ChildContext): void {
  // Captured by lib/internal/child_process.js as an object, so its function can be replaced.
  const binding = nodeBinding<{ spawn(options: SyncOptions): unknown }>('spawn_sync');
  if (binding === undefined) return;
  const { spawn } = binding;
  context.replace(binding, 'spawn', (options: SyncOptions) => {
    const target = context.target();
    const here = (given: SyncOptions): unknown => spawn.call(binding, given);
    if (target === undefined) return runForwarding(forHere(context, options), true, here);
    if (staysHere(context, target, options.file))
      return runForwarding(followed(forHere(context, options)), false, here);
    return runFar(target, options);
  });
}

/** `fork` without flags of its own for the child. */
function isFork({ file, stdio, execArgv }: SpawnOptions): boolean {
  const channel = Array.isArray(stdio) && stdio.includes('ipc');
  return channel && file === process.execPath && execArgv === undefined;
}

function followed<T extends Pick<SpawnOptions, 'envPairs'>>(options: T): T {
  if (Array.isArray(options.envPairs)) options.envPairs = following(options.envPairs);
  return options;
}

/** The scope's environment may be that of the far machine. */
function forHere<T extends Pick<SpawnOptions, 'envPairs'>>(context: ChildContext, options: T): T {
  const scope = context.scope();
  if (scope !== undefined && Array.isArray(options.envPairs))
    options.envPairs = pairsForHere(scope, options.envPairs);
  return options;
}

/** Refused before Node takes the handle from its socket, which would be lost. */
function refuseHandles(child: Child): void {
  const { send } = child;
  if (typeof send !== 'function') return;
  child.send = function (this: Child, message, handle, ...rest): boolean {
    if (typeof handle === 'object' && handle !== null)
      throw new ElsewhereError(
        'ERR_ELSEWHERE_UNSUPPORTED',
        'a socket or server of this process cannot be sent to a child on the far side: send data, or start the child here with withLocal()',
      );
    return send.call(this, message, handle, ...rest);
  };
}

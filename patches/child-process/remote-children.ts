/** The children of one client: started with Node's native handles, so that nothing is read before the client asks. */
import { delimiter, join } from 'node:path';
import { getSystemErrorName } from 'node:util';
import { heldDescriptor } from '../../src/base/far-handles.ts';
import { originals } from '../../src/base/originals.ts';
import { withUmask } from '../../src/base/umask.ts';
import type { PolicyView, RemoteContext } from '../../src/patch.ts';
import type { Exit, FarStdio, Launch } from './api.ts';
import {
  type NativePipe,
  type NativeProcess,
  type NativeStdio,
  newPipe,
  newProcess,
  spawnNatively,
} from './binding.ts';
import { signalNumber } from './errno.ts';
import { nameOf, OWN_SETTINGS } from './own-settings.ts';

/** What the client's session leaves behind gets SIGTERM, then this long to end. Milliseconds. */
const LAST_WORDS = 2000;
/** More than a system usually allows to one user; the client gets the error that it would get locally. */
const MOST = 4096;

export interface HeldChild {
  readonly id: number;
  readonly pid: number;
  readonly detached: boolean;
  /** Pipes that nobody reads or writes yet, by their index. */
  readonly pipes: Map<number, NativePipe>;
  readonly exited: Promise<Exit>;
  kill(signal: string | 0): string;
  ended: boolean;
}

/** A native error number as its code; thrown as such where a caller cannot answer with it. */
export class Refused extends Error {
  readonly code: string;

  constructor(code: string) {
    super(code);
    this.code = code;
  }
}

const living = new Set<HeldChild>();
// Whoever ignored SIGTERM must not outlive the agent.
process.on('exit', () => {
  for (const child of living) if (!child.detached) child.kill('SIGKILL');
});

export class Children {
  readonly #context: RemoteContext;
  readonly #children = new Map<number, HeldChild>();
  #lastId = 0;

  constructor(context: RemoteContext) {
    this.#context = context;
    context.onEnd(() => this.#endAll());
  }

  /** Throws `Refused`, and leaves nothing behind then. */
  start(launch: Launch, stdio: readonly FarStdio[]): HeldChild {
    if (this.#children.size >= MOST) throw new Refused('EAGAIN');
    const allowed = permitted(this.#context.policy, launch);
    const handle = newProcess();
    const pipes = new Map<number, NativePipe>();
    const exit = exitOf(handle);
    let failed: string | undefined;
    try {
      const entries = stdio.map((entry, index) => this.#native(entry, index, pipes));
      const error = withUmask(launch.umask ?? undefined, () =>
        spawnNatively(handle, { ...launched(allowed), stdio: entries }),
      );
      if (error !== 0) failed = getSystemErrorName(error);
    } catch (error) {
      discard(handle, pipes);
      throw error;
    }
    if (failed !== undefined) {
      discard(handle, pipes);
      throw new Refused(failed);
    }
    return this.#keep(handle, pipes, launch.detached, exit);
  }

  get(id: number): HeldChild | undefined {
    return this.#children.get(id);
  }

  /** The pipe of a child, for one user. */
  take(id: number, index: number): NativePipe | undefined {
    const child = this.#children.get(id);
    const pipe = child?.pipes.get(index);
    child?.pipes.delete(index);
    if (child !== undefined) this.#forgetIfDone(child);
    return pipe;
  }

  #keep(
    handle: NativeProcess,
    pipes: Map<number, NativePipe>,
    detached: boolean,
    exited: Promise<Exit>,
  ): HeldChild {
    this.#lastId += 1;
    const child: HeldChild = {
      id: this.#lastId,
      pid: handle.pid ?? 0,
      detached,
      pipes,
      exited,
      ended: false,
      kill: (signal) => (child.ended ? 'ESRCH' : kill(handle, signal)),
    };
    this.#children.set(child.id, child);
    living.add(child);
    void exited.then(() => {
      child.ended = true;
      living.delete(child);
      this.#forgetIfDone(child);
    });
    return child;
  }

  #forgetIfDone(child: HeldChild): void {
    if (child.ended && child.pipes.size === 0) this.#children.delete(child.id);
  }

  #native(entry: FarStdio, index: number, pipes: Map<number, NativePipe>): NativeStdio {
    if (entry === 'ignore') return { type: 'ignore' };
    if (entry === 'pipe' || entry === 'overlapped') {
      const handle = newPipe();
      pipes.set(index, handle);
      return { type: entry, handle };
    }
    if ('standard' in entry) return { type: 'inherit', fd: standard(entry.standard) };
    if ('file' in entry) {
      const fd = heldDescriptor(this.#context, entry.file);
      if (fd === undefined) throw new Refused('EBADF');
      return { type: 'fd', fd };
    }
    const handle = this.#children.get(entry.child)?.pipes.get(entry.index);
    if (handle === undefined) throw new Refused('EBADF');
    return { type: 'wrap', wrapType: 'pipe', handle };
  }

  #endAll(): void {
    for (const child of this.#children.values()) {
      for (const pipe of child.pipes.values()) pipe.close();
      child.pipes.clear();
      if (child.ended || child.detached) continue;
      child.kill('SIGTERM');
      setTimeout(() => child.kill('SIGKILL'), LAST_WORDS).unref();
    }
  }
}

/**
 * With a policy a program is one of its list, found by this machine's own PATH; and of the variables that the client sets
 * only those of the list are kept, since some of them (LD_PRELOAD, NODE_OPTIONS) make any program run anything.
 */
function permitted(policy: PolicyView, launch: Launch): Launch {
  if (!policy.restricted) return launch;
  const file = launch.file ?? process.execPath;
  if (policy.spawn(file) !== undefined) throw new Refused('EACCES');
  const set = launch.env.set.filter((pair) => policy.env(pair.slice(0, pair.indexOf('='))));
  return { ...launch, file: onOwnPath(file), env: { ...launch.env, set } };
}

function onOwnPath(file: string): string {
  if (file.includes('/')) return file;
  const found = (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((directory) => join(directory, file))
    .find((path) => originals.fs.existsSync(path));
  if (found === undefined) throw new Refused('ENOENT');
  return found;
}

function standard(descriptor: number): number {
  if (descriptor !== 0 && descriptor !== 1 && descriptor !== 2) throw new Refused('EBADF');
  return descriptor;
}

function launched(launch: Launch): Omit<Parameters<typeof spawnNatively>[1], 'stdio'> {
  const { env, uid, gid } = launch;
  return {
    file: launch.file ?? process.execPath,
    args: launch.ownName ? [process.execPath, ...launch.args] : launch.args,
    cwd: launch.cwd,
    envPairs: env.own ? onTop(env.set) : env.set,
    detached: launch.detached,
    windowsHide: launch.windowsHide,
    windowsVerbatimArguments: launch.windowsVerbatimArguments,
    ...(uid === null ? {} : { uid }),
    ...(gid === null ? {} : { gid }),
  };
}

function onTop(set: readonly string[]): string[] {
  const names = new Set(set.map(nameOf));
  // The agent's own settings, its token among them, are not for children.
  const own = Object.entries(originals.process.env).filter(
    ([name]) => !names.has(name) && !OWN_SETTINGS.includes(name),
  );
  return [...own.map(([name, value]) => `${name}=${value}`), ...set];
}

function exitOf(handle: NativeProcess): Promise<Exit> {
  return new Promise((resolve) => {
    handle.onexit = (code, signal) => {
      handle.close();
      // What it wrote last is in its pipes: let it be read first, as it usually is.
      setImmediate(() => resolve({ code, signal: signal || '' }));
    };
  });
}

function kill(handle: NativeProcess, signal: string | 0): string {
  const number = signalNumber(signal);
  if (number === undefined) return 'EINVAL';
  const error = handle.kill(number);
  return error === 0 ? '' : getSystemErrorName(error);
}

function discard(handle: NativeProcess, pipes: ReadonlyMap<number, NativePipe>): void {
  for (const pipe of pipes.values()) pipe.close();
  handle.close();
}

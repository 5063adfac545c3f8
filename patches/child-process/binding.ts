/**
 * Node's own parts under `ChildProcess`: the native classes of processes and pipes, and their calling conventions. Both
 * halves use it: the near one stands in for these objects, the far one works with them.
 */
import { ElsewhereError } from '../../src/base/errors.ts';
import { nodeBinding } from '../../src/base/node-binding.ts';

export interface NativeProcess {
  pid?: number;
  onexit?(status: number, signal: string): void;
  spawn(...args: unknown[]): number;
  kill(signal: number): number;
  close(done?: () => void): void;
  ref(): void;
  unref(): void;
  hasRef(): boolean;
}

export interface NativePipe {
  onread?(this: NativePipe, bytes: ArrayBufferLike | undefined): unknown;
  close(done?: () => void): void;
}

/** An entry of `stdio` as lib/internal/child_process.js makes it (getValidStdio). */
export interface NativeStdio {
  readonly type: string;
  handle?: object;
  readonly wrapType?: string;
  readonly fd?: number;
  readonly ipc?: boolean;
  /** Only for spawnSync. */
  readonly input?: Uint8Array;
  readonly readable?: boolean;
  readonly writable?: boolean;
}

/** What the native `spawn` is told, in one form for all versions. */
export interface NativeSpawn {
  readonly file: string;
  readonly args?: readonly string[] | undefined;
  readonly cwd?: string | Uint8Array | undefined;
  readonly envPairs?: readonly string[] | undefined;
  readonly stdio: readonly NativeStdio[];
  readonly detached?: boolean | undefined;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  readonly windowsHide?: boolean | undefined;
  readonly windowsVerbatimArguments?: boolean | undefined;
}

interface ProcessBinding {
  readonly Process: new () => NativeProcess;
  /** Only where `spawn` takes a list of arguments (24.13 and later). */
  readonly constants?: Readonly<Record<string, number>>;
}

interface PipeBinding {
  readonly Pipe: new (type: number) => NativePipe;
  readonly constants: { readonly SOCKET: number };
}

/** How the native side tells JavaScript about the last read or write. */
export interface StreamState {
  readonly streamBaseState: Int32Array;
  readonly kReadBytesOrError: number;
  readonly kArrayBufferOffset: number;
  readonly kBytesWritten: number;
  readonly kLastWriteWasAsync: number;
  /** Node 26 and later. */
  readonly kLastWriteErr?: number;
}

function required<T extends object>(name: string): T {
  const found = nodeBinding<T>(name);
  if (found !== undefined) return found;
  throw new ElsewhereError(
    'ERR_ELSEWHERE_UNSUPPORTED',
    `Node refuses access to its ${name} binding in this process (--permission): run without the permission model, or leave the child_process patch out`,
  );
}

let processes: ProcessBinding | undefined;
let pipes: PipeBinding | undefined;
let streams: StreamState | undefined;

function processBinding(): ProcessBinding {
  processes ??= required<ProcessBinding>('process_wrap');
  return processes;
}

export function processPrototype(): NativeProcess {
  return processBinding().Process.prototype as NativeProcess;
}

export function newProcess(): NativeProcess {
  return new (processBinding().Process)();
}

export function newPipe(): NativePipe {
  pipes ??= required<PipeBinding>('pipe_wrap');
  return new pipes.Pipe(pipes.constants.SOCKET);
}

export function streamState(): StreamState {
  streams ??= required<StreamState>('stream_wrap');
  return streams;
}

/** The arguments of a call of the native `spawn`, whichever convention the caller uses. */
export function readSpawnArguments(args: readonly unknown[]): NativeSpawn {
  if (typeof args[0] === 'object' && args[0] !== null) return args[0] as NativeSpawn;
  const [file, argv, cwd, envPairs, stdio, flags, uid, gid] = args;
  const has = (name: string): boolean =>
    ((flags as number) & (processBinding().constants?.[name] ?? 0)) !== 0;
  return {
    file: file as string,
    args: argv as string[] | undefined,
    cwd: cwd as string | undefined,
    envPairs: envPairs as string[] | undefined,
    stdio: stdio as NativeStdio[],
    detached: has('kProcessFlagDetached'),
    windowsHide: has('kProcessFlagWindowsHide'),
    windowsVerbatimArguments: has('kProcessFlagWindowsVerbatimArguments'),
    uid: uid as number | undefined,
    gid: gid as number | undefined,
  };
}

/** Starts a process with Node's own native function. Returns 0 or a negative error number. */
export function spawnNatively(handle: NativeProcess, spawn: NativeSpawn): number {
  const { constants } = processBinding();
  if (constants?.['kProcessFlagDetached'] === undefined) return handle.spawn(spawn);
  const flag = (on: boolean | undefined, name: string): number =>
    on === true ? (constants[name] ?? 0) : 0;
  const flags =
    flag(spawn.detached, 'kProcessFlagDetached') |
    flag(spawn.windowsHide, 'kProcessFlagWindowsHide') |
    flag(spawn.windowsVerbatimArguments, 'kProcessFlagWindowsVerbatimArguments');
  const { file, args, cwd, envPairs, stdio, uid, gid } = spawn;
  return handle.spawn(file, args, cwd, envPairs, stdio, flags, uid, gid);
}

/** What the two halves of the child_process patch say to each other. */
import type { LocalContext, RemoteStream, Target } from '../../src/patch.ts';

/** One entry of a far child's stdio. */
export type FarStdio =
  | 'ignore'
  | 'pipe'
  | 'overlapped'
  /** A standard stream of the far side itself. */
  | { readonly standard: number }
  /** A file that this client holds open there. */
  | { readonly file: number }
  /** A pipe of another child of this client. */
  | { readonly child: number; readonly index: number };

/** The environment: `set` alone, or on top of the far side's own. */
export interface FarEnvironment {
  readonly own: boolean;
  /** `NAME=value`. */
  readonly set: readonly string[];
}

export interface Launch {
  /** null: the Node that runs the far side. */
  readonly file: string | null;
  /** With argv[0], unless `ownName`. */
  readonly args: readonly string[];
  /** argv[0] is the path of that Node. */
  readonly ownName: boolean;
  readonly cwd: string;
  readonly env: FarEnvironment;
  readonly detached: boolean;
  readonly uid: number | null;
  readonly gid: number | null;
  /** null: the far side's own. */
  readonly umask: number | null;
  readonly windowsHide: boolean;
  readonly windowsVerbatimArguments: boolean;
}

export type Spawned = { readonly id: number; readonly pid: number } | { readonly error: string };

export interface Exit {
  readonly code: number;
  /** '' unless a signal ended it. */
  readonly signal: string;
}

/** spawnSync: what its native function returns, with the error by its code. */
export interface SyncResult {
  readonly pid: number;
  readonly status: number | null;
  readonly signal: string | null;
  readonly output: readonly (Uint8Array | null)[] | null;
  readonly error: string | null;
}

export interface SyncLaunch extends Launch {
  readonly stdio: readonly FarStdio[];
  /** By index of the stdio entry. */
  readonly input: readonly (Uint8Array | null)[];
  /** Output of these entries is told while the child runs, instead of being gathered. */
  readonly live: readonly number[];
  /** Milliseconds; 0: none. */
  readonly timeout: number;
  /** Bytes of all output together; 0: any. */
  readonly maxBuffer: number;
  readonly killSignal: string;
}

/** A piece of a blocking run: live output so far, then the result. */
export interface SyncStep {
  readonly id: number;
  readonly live: readonly (readonly [index: number, bytes: Uint8Array])[];
  readonly result: SyncResult | null;
}

export interface ChildCalls {
  /** Starts a child. Codes of system errors are answers; nothing is left behind then. */
  spawn(launch: Launch, stdio: readonly FarStdio[]): Spawned;
  /** Settles when the child has ended. */
  exit(id: number): Promise<Exit>;
  /** 0 or a signal's name. Answers '' or the code of an error. */
  kill(id: number, signal: string | 0): string;
  /** Closes a pipe that was never read or written. */
  drop(id: number, index: number): void;
  /** Runs a child to its end, or to its first live output. */
  run(launch: SyncLaunch): SyncStep | Promise<SyncStep>;
  /** What that run does next. */
  runOn(id: number): SyncStep | Promise<SyncStep>;
}

export interface ChildStreams {
  /**
   * Both directions of a child's pipe. Near to far: bytes, the signal 'shutdown' for the end of them, END to close it.
   * Far to near: bytes, the signals below, END when it is closed.
   */
  pipe(stream: RemoteStream, id: number, index: number): void;
}

/** 'eof': the child's end is closed for writing. 'shutdown': ours is. Else the code with which writing failed. */
export type PipeReport = 'eof' | 'shutdown' | { readonly broken: string };

export type ChildContext = LocalContext<ChildCalls, ChildStreams>;
export type ChildTarget = Target<ChildCalls, ChildStreams>;

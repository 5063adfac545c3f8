/**
 * THE contract between the core and the patches. A patch substitutes parts of one Node module: its local half replaces
 * functions and sends the work over a `Target`, its remote half carries it out on the other machine. Both halves are
 * typed by one interface, so that a missing or mistyped operation is a compile error.
 */
import type { Kind } from './base/kind.ts';
import type { ByteStream, PeerInfo, StreamHandler } from './connection/channel.ts';

export type { ByteStream, Channel, PeerInfo, StreamHandler } from './connection/channel.ts';

/** Operations that return one answer. Arguments and results are values the wire keeps (see docs/protocol.md). */
export type Calls<C> = { readonly [K in keyof C]: (...args: never[]) => unknown };
/** Operations that open a byte stream: the remote half gets the stream first, then the arguments. */
export type Streams<S> = {
  readonly [K in keyof S]: (stream: RemoteStream, ...args: never[]) => void;
};
/** A patch without streams. */
export type NoStreams = Record<never, never>;

/** The remote half's end of a stream. `accept` must be called before the handler returns. */
export interface RemoteStream extends ByteStream {
  accept(handler: StreamHandler): void;
}

type StreamArgs<F> = F extends (stream: RemoteStream, ...args: infer A) => void ? A : never;
type CallArgs<F> = F extends (...args: infer A) => unknown ? A : never;
type CallResult<F> = F extends (...args: never[]) => infer R ? Awaited<R> : never;

/**
 * What each operation may answer to its arguments. The near half is given nothing else: any other answer ends the
 * connection with ERR_ELSEWHERE_BAD_REPLY (base/answers.ts).
 */
export type Answers<C> = {
  readonly [K in keyof C]: (answer: unknown, args: CallArgs<C[K]>) => answer is CallResult<C[K]>;
};
/** The same for the values that the far side may put between the bytes of each stream; `never` for none. */
export type Signals<S> = { readonly [K in keyof S]: Kind<unknown> };

/** A scope as a patch sees it. One object per scope, so it can be the key of a WeakMap. */
export interface ScopeView {
  /** Unique in this process, from 1. */
  readonly id: number;
  /** True for the scope of a whole program under `elsewhere run`. */
  readonly isDefault: boolean;
  /** The scope's working directory on the far side; relative paths start here. */
  cwd: string;
  /** The scope's mask for what it makes on the far side; undefined: the far side's own. */
  umask?: number | undefined;
  /** Some paths are denied. */
  readonly denies: boolean;
  /** A tree of files is walked entry by entry, so that each is asked about, or found where it is. */
  readonly stepwise: boolean;
  /** What the scope's options say about stdio: 'remote' is the default. */
  readonly stdio: StdioChoice;
  /** Where children of a whole program run; undefined in the scopes of `withRemote`: on the far side. */
  readonly children?: ChildrenChoice | undefined;
  /** Whose environment `process.env` is: 'local' is the default. */
  readonly env?: EnvChoice;
  /** Equal for scopes whose connections go the same ways, so that they may share those that are kept alive. */
  readonly pool: string;
  /**
   * The rule, as a sentence, that keeps a socket of `connection` from a place; undefined for none. A datagram socket is
   * of one side, so a place that is another side's is out of its reach.
   */
  forbids(place: NetworkPlace, connection: object): string | undefined;
  /** Runs `fn`, and everything it starts, in this scope. */
  run<R>(fn: () => R): R;
}

/**
 * 'follow': Node programs, and programs at paths that are local, run here and enter the same scope; all others run on the
 * far side. 'remote': all run there. 'local': all run here.
 */
export type ChildrenChoice = 'follow' | 'remote' | 'local';

export interface StdioStreams {
  stdin?: NodeJS.ReadableStream;
  stdout?: NodeJS.WritableStream;
  stderr?: NodeJS.WritableStream;
}
export type StdioWay = 'remote' | 'local' | 'tee';
/** For each stream by itself; 'remote' for one that is not named. Input cannot be 'tee'. */
export interface StdioWays {
  readonly stdin?: NodeJS.ReadableStream | 'remote' | 'local';
  readonly stdout?: NodeJS.WritableStream | StdioWay;
  readonly stderr?: NodeJS.WritableStream | StdioWay;
}
export type StdioChoice = StdioWay | StdioWays;

/**
 * 'local': this process's own environment. 'remote': the far side's alone. 'merged': ours, overlaid with the far side's
 * but for what describes a machine or a terminal (PATH, HOME, TERM…). 'none': an empty one. What makes programs load code,
 * trust certificates or go through a proxy (NODE_OPTIONS, LD_PRELOAD, HTTPS_PROXY…) is never taken from the far side, and
 * programs that a scope starts here get this machine's PATH and HOME.
 */
export type EnvChoice = 'local' | 'remote' | 'merged' | 'none';

/** Where a patch's operations go in one scope. The same object for the life of the scope: handles keep it. */
export interface Target<C extends Calls<C>, S extends Streams<S> = NoStreams> {
  readonly scope: ScopeView;
  readonly peer: PeerInfo;
  /** Identity of the connection, for comparing and as a WeakMap key. */
  readonly connection: object;
  /** False once the connection is over. */
  readonly alive: boolean;
  /** The cheapest form: no promise. `done` is called later, never inside. Returns a function that cancels. */
  send<K extends keyof C & string>(
    name: K,
    args: CallArgs<C[K]>,
    done: (error: unknown, value?: CallResult<C[K]>) => void,
  ): () => void;
  call<K extends keyof C & string>(name: K, ...args: CallArgs<C[K]>): Promise<CallResult<C[K]>>;
  /** Blocks this thread until the answer is there. */
  callSync<K extends keyof C & string>(name: K, ...args: CallArgs<C[K]>): CallResult<C[K]>;
  notify<K extends keyof C & string>(name: K, ...args: CallArgs<C[K]>): void;
  open<K extends keyof S & string>(
    name: K,
    args: StreamArgs<S[K]>,
    handler: StreamHandler,
  ): ByteStream;
  /** Counts one reason to keep the process alive; `release` takes it back. */
  hold(): void;
  release(): void;
  onClosed(listener: (error: Error) => void): () => void;
}

/** What is connected to, for the scope's filters: a place, a unix socket, or (a question for a name) a host without a port. */
export type NetworkPlace =
  | { readonly protocol: 'tcp' | 'udp'; readonly host: string; readonly port: number }
  | { readonly socketPath: string }
  /** With a protocol, `*`: all that a socket of it may be for. */
  | { readonly name: string; readonly protocol?: 'udp' };

/** Where something goes by the scope's filters for the network. */
export interface Routing<C extends Calls<C>, S extends Streams<S> = NoStreams> {
  /** Undefined: here. Perhaps of another connection than the scope's own. */
  readonly target: Target<C, S> | undefined;
  /** The rule that forbids it, as a sentence. */
  readonly denied?: string;
  /** Runs the synchronous `fn` on that side, so that names are looked up there too. */
  run<R>(fn: () => R): R;
}

/** A decision of the scope's filters: the target, and the subject's path after mapping. */
export interface Decision<C extends Calls<C>, S extends Streams<S> = NoStreams> {
  readonly target: Target<C, S>;
  readonly path: string;
}

/** What the local half of a patch is given at install. */
export interface LocalContext<C extends Calls<C>, S extends Streams<S> = NoStreams> {
  /** The current scope's target for this patch; undefined when this code is local. Cheap: dispatchers call it each time. */
  target(): Target<C, S> | undefined;
  /** The same after the scope's path filters; throws EACCES (with our error as cause) for a denied path. */
  decide(path: string, operation: string): Decision<C, S> | undefined;
  /** The same after the scope's filters for the network. */
  route(place: NetworkPlace): Routing<C, S>;
  /** The current scope whatever it does with this patch; undefined when this code is local. */
  scope(): ScopeView | undefined;
  /** Runs the synchronous `fn` as local code. */
  locally<R>(fn: () => R): R;
  /** Replaces a data property, keeping its attributes; undone by uninstall. Returns the value before. */
  replace<T extends object, K extends keyof T>(object: T, key: K, value: T[K]): T[K];
  /** Defines a property with any descriptor; undone by uninstall. Returns the descriptor before, if it was an own one. */
  redefine(
    object: object,
    key: PropertyKey,
    descriptor: PropertyDescriptor,
  ): PropertyDescriptor | undefined;
  /** Runs at uninstall, in reverse order with the replacements. */
  onUninstall(undo: () => void): void;
}

/**
 * What the agent lets its clients do. Each decision is undefined for yes, or a sentence that names the rule. Addresses are
 * literal ones and paths resolved: what is decided on must be what is then used.
 */
export interface PolicyView {
  /** False when only the addresses of clouds' metadata are denied. */
  readonly restricted: boolean;
  /** Remembers what a name was resolved to here, for the rules about names. */
  resolved(name: string, addresses: readonly string[]): void;
  connect(address: string, port: number): string | undefined;
  listen(address: string, port: number): string | undefined;
  connectPath(path: string): string | undefined;
  listenPath(path: string): string | undefined;
  read(realPath: string): string | undefined;
  write(realPath: string): string | undefined;
  /** `file` as the client gave it. */
  spawn(file: string): string | undefined;
  env(name: string): boolean;
}

/** What the remote half of a patch is given, once per session. */
export interface RemoteContext {
  readonly policy: PolicyView;
  /** The session's id. */
  readonly session: string;
  /** This process serves no other client, and ends with this one. */
  readonly alone: boolean;
  readonly peer: PeerInfo;
  /** Aborted when the caller cancels the call that is being started. Only valid before the handler's first await. */
  signal(): AbortSignal;
  /** Runs when the session is over: close what the peer held. */
  onEnd(cleanup: () => void): void;
}

export interface RemoteHalf<C extends Calls<C>, S extends Streams<S> = NoStreams> {
  readonly calls: {
    readonly [K in keyof C]: (
      ...args: CallArgs<C[K]>
    ) => CallResult<C[K]> | Promise<CallResult<C[K]>>;
  };
  readonly streams?: {
    readonly [K in keyof S]: (stream: RemoteStream, ...args: StreamArgs<S[K]>) => void;
  };
}

/**
 * Where each export of a Node module goes: 'remote', 'local: WHY', 'unsupported: WHAT TO DO' (it throws then). A remark
 * may follow 'remote' too, after a colon.
 */
export type CoverageTable = Readonly<
  Record<string, 'remote' | `remote: ${string}` | `local: ${string}` | `unsupported: ${string}`>
>;

export interface Patch<C extends Calls<C>, S extends Streams<S> = NoStreams> {
  /** Also the prefix of its operations on the wire: 'fs' + '.' + 'stat'. */
  readonly name: string;
  /** Names of patches that must be installed before this one. */
  readonly requires?: readonly string[];
  /** Name of the patch whose route decides for this one ('http' follows 'net'); itself by default. */
  readonly follows?: string;
  /** For each Node module that the patch covers whole, by its name: docs/coverage.md is printed from it. */
  readonly coverage?: Readonly<Record<string, CoverageTable>>;
  /** Without them whatever the far side says is believed. */
  readonly answers?: Answers<C>;
  readonly signals?: Signals<S>;
  /** Bytes that byte arrays of an answer may have together: more ends the connection. Default: 268,435,456. */
  readonly largest?: number;
  local?(context: LocalContext<C, S>): void;
  remote?(context: RemoteContext): RemoteHalf<C, S>;
}

/** Only checks the types: a patch is plain data. */
export function definePatch<C extends Calls<C>, S extends Streams<S> = NoStreams>(
  patch: Patch<C, S>,
): AnyPatch {
  return patch as unknown as AnyPatch;
}

/** A patch whose operations are not known to the holder. */
export type AnyPatch = Patch<
  Record<string, (...args: never[]) => unknown>,
  Record<string, (stream: RemoteStream, ...args: never[]) => void>
>;

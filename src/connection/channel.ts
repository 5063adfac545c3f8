/**
 * What a session offers to the layers above it: calls, notifications, byte streams, and blocking calls. Scopes and
 * patches see a session only through this interface.
 */

/** Facts about the process at the other end, told once in the handshake. */
export interface PeerInfo {
  /** Node's version without the v: '20.20.2'. */
  readonly node: string;
  readonly platform: string;
  readonly arch: string;
  readonly pid: number;
  /** Equal for processes that know each other by pid: same machine, same container. '' where that cannot be told. */
  readonly pidSpace: string;
  /** Another for each thread of each process: a blocking call to the caller's own could not be answered. */
  readonly thread: string;
  readonly hostname: string;
  /** Its working directory when the session began. */
  readonly cwd: string;
  /** Version of its elsewhere package. */
  readonly version: string;
  /** Names of the service that it serves: the class's, and its aliases. */
  readonly services: readonly string[];
}

/** Called once, with the error or the value. */
export type Done = (error: unknown, value?: unknown) => void;

/** How the receiver of a byte stream hears of it. `closed` is the last call, and always comes. */
export interface StreamHandler {
  /**
   * Bytes from the peer; the receiver may keep them, or give them back (base/spare-memory.ts) when it is done with them.
   * Credit goes back at once unless the stream is paused.
   */
  data(bytes: Uint8Array): void;
  /** The peer will send no more; our direction stays open. */
  end(): void;
  /** Both directions are over: no error after both ends, or the peer's reset reason (an error code), or our loss error. */
  closed(error: Error | undefined): void;
  /** A value that the peer put between the bytes with `signal`. */
  signal?(value: unknown): void;
  /** `buffered` fell below the mark after `write` returned false. */
  drain?(): void;
}

/** A two-way byte stream of a session, with credit in each direction. */
export interface ByteStream {
  readonly id: number;
  /** Bytes written here that the peer has not granted credit for yet. */
  readonly buffered: number;
  /**
   * Queues bytes; the caller must not change them afterwards. Memory that was lent until it is sent goes back when the peer
   * has it: it must be written at once, all that is of use in it. `done` is called when the bytes have left for the
   * transport (or with an error). False when the caller should wait for `drain`.
   */
  write(bytes: Uint8Array, done?: (error?: Error) => void): boolean;
  /** Sends a value in the order of the bytes written before it. */
  signal(value: unknown): void;
  /** No more from us, after what is queued. */
  end(): void;
  /** Ends both directions at once and drops what is queued. `reason` is an error code such as 'ECONNRESET'. */
  reset(reason: string): void;
  /** Stops giving credit: bytes that arrive are kept (at most the window) and delivered on `resume`. */
  pause(): void;
  resume(): void;
}

/** 'down': the link is lost and dialled again; everything waits. */
export type ChannelState = 'connecting' | 'up' | 'down' | 'closed';

export interface Channel {
  /** 128-bit session id in hex. */
  readonly id: string;
  readonly state: ChannelState;
  /** Its files are of several places: a tree is walked entry by entry, never taken as a whole. */
  readonly stepwise?: boolean;
  /** Throws ERR_ELSEWHERE_CLOSED-like errors if the handshake never finished. */
  readonly peer: PeerInfo;
  /**
   * Starts a call. `done` is called later, never inside. Returns the id for `cancel`. `timeout`: milliseconds after which
   * the far side cancels it by itself; its answer still comes. `most`: bytes that byte arrays of the answer may have
   * together; a far side that sends more ends the session (default: none).
   */
  request(
    method: string,
    args: readonly unknown[],
    done: Done,
    timeout?: number,
    most?: number,
  ): number;
  /** Tells the far side to stop; `done` still comes, usually with an AbortError-like rejection of the far side. */
  cancel(id: number): void;
  /** Blocks this thread until the answer is there. Throws what the far side threw. */
  requestSync(method: string, args: readonly unknown[], most?: number): unknown;
  notify(method: string, args: readonly unknown[]): void;
  /** Opens a byte stream; bytes may be written at once and travel in the same flight. */
  open(method: string, args: readonly unknown[], handler: StreamHandler): ByteStream;
  /** Ends the session at once, for this reason: the far side does what none of ours does. */
  fail(error: Error): void;
  /** Counts one reason to keep the process alive; `release` takes it back. */
  hold(): void;
  release(): void;
  /** Called once when the session is over. Returns a function that unsubscribes. */
  onClosed(listener: (error: Error) => void): () => void;
}

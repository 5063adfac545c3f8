/**
 * A link on which the calling thread blocks: the sync lane's transport. Implementations: a socket of its own read and
 * written with blocking system calls (blocking-socket.ts), a worker thread that owns an ordinary transport
 * (worker-link.ts), and the in-process pair (memory).
 */
export interface BlockingPacket {
  readonly kind: number;
  readonly body: Uint8Array;
}

/** Looks after a thread that waits on a link, which no timer can do. */
export interface Watch {
  /** Milliseconds of silence until each look. */
  readonly period: number;
  /** So many looks in a row without a byte end the link. */
  readonly looks: number;
  /** Asks for a sign of life, at each look before. */
  ask(): void;
  /** What is thrown in the end. */
  error(): Error;
}

export interface BlockingLink {
  /** Whether waits cost more when they are watched: a system call that blocks can't be given a limit. */
  readonly dearWatch: boolean;
  /** Hands one whole packet to the kernel; blocks while its buffers are full. Throws ERR_ELSEWHERE_CONNECTION_LOST. */
  send(kind: number, head: Uint8Array, tail?: Uint8Array): void;
  /**
   * Blocks until a whole packet is there. Bodies may have Limit.HANDSHAKE bytes until a WELCOME has come, then MAX_PACKET:
   * larger ones may stand right behind it. Whether to believe the welcome is decided before they are looked at.
   * Throws ERR_ELSEWHERE_CONNECTION_LOST at the end of the link.
   */
  receive(): BlockingPacket;
  /** Whoever waits from now on waits no longer than that; undefined, as at first: for ever. */
  watch(watch: Watch | undefined): void;
  close(): void;
}

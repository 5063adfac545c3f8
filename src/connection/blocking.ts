/**
 * A link on which the calling thread blocks: the sync lane's transport. Implementations: a socket of its own read and
 * written with blocking system calls (blocking-socket.ts), a worker thread that owns an ordinary transport
 * (worker-link.ts), and the in-process pair (memory).
 */
export interface BlockingPacket {
  readonly kind: number;
  readonly body: Uint8Array;
}

export interface BlockingLink {
  /** Hands one whole packet to the kernel; blocks while its buffers are full. Throws ERR_ELSEWHERE_CONNECTION_LOST. */
  send(kind: number, head: Uint8Array, tail?: Uint8Array): void;
  /**
   * Blocks until a whole packet is there. Bodies may have Limit.HANDSHAKE bytes until a WELCOME has come, then MAX_PACKET:
   * larger ones may stand right behind it. Whether to believe the welcome is decided before they are looked at.
   * Throws ERR_ELSEWHERE_CONNECTION_LOST at the end of the link.
   */
  receive(): BlockingPacket;
  close(): void;
}

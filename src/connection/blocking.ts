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
  /** Blocks until a whole packet is there. Throws ERR_ELSEWHERE_CONNECTION_LOST at the end of the link. */
  receive(): BlockingPacket;
  /** Largest packet body accepted from now on; starts at Limit.HANDSHAKE. */
  setLimit(bytes: number): void;
  /** Of a link on which no answer is awaited: whether it is as it should be then, open and silent. Does not block. */
  quiet(): boolean;
  close(): void;
}

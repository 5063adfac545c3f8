/** All message kinds and the protocol's numbers. No logic. DESIGN: docs/protocol.md. */

/** Raised when an old peer could misunderstand a new one; both sides must agree exactly. */
export const PROTOCOL_VERSION = 1;
/** Says "this is our protocol" in the first message of each side. */
export const PROTOCOL_NAME = 'elsewhere';

/** Packet kinds: the first byte of a packet. */
export const Kind = {
  /** Handshake, JSON text: server → client, sent on accept. */
  CHALLENGE: 1,
  /** Handshake, JSON text: client → server. */
  HELLO: 2,
  /** Handshake, JSON text: server → client, ends the handshake. */
  WELCOME: 3,
  /** Handshake, JSON text: either side, one clear sentence, then the transport is closed. */
  REFUSE: 4,
  /** Unsequenced: f64 little endian = sequenced packets received so far. */
  ACK: 5,
  /** Unsequenced: 8 opaque bytes, echoed by PONG. */
  PING: 6,
  PONG: 7,
  /** Unsequenced, empty: the sender's event loop is busy. */
  ALIVE: 8,
  /** First of the sequenced kinds: they are counted, and carry no number. One msgpack array of frames. */
  RPC: 16,
  /** [stream u32][bytes] */
  DATA: 17,
  /** [stream u32][bytes granted u32] */
  CREDIT: 18,
  /** [stream u32] the sender will send no more. */
  END: 19,
  /** [stream u32][reason utf8] both directions are over; the reason is an error code. */
  RESET: 20,
  /** [reason utf8] the sender takes no new calls and closes soon. */
  GOAWAY: 21,
} as const;

export const FIRST_SEQUENCED: number = Kind.RPC;
export const LAST_KIND: number = Kind.GOAWAY;

/** Frames: the arrays inside an RPC packet; their first element is the opcode. */
export const Op = {
  /** [CALL, id, method, args] or [CALL, id, method, milliseconds, args]; a method is a string at its first use, from then on its number on this lane. */
  CALL: 1,
  /** [RETURN, id, value] */
  RETURN: 2,
  /** [THROW, id, error] */
  THROW: 3,
  /** [CANCEL, id] */
  CANCEL: 4,
  /** [NOTIFY, method, args] no answer */
  NOTIFY: 5,
  /** [OPEN, stream, method, args] opens a byte stream; its data may follow at once. */
  OPEN: 6,
  /** [SIGNAL, stream, value] a value in the order of the stream's bytes. */
  SIGNAL: 7,
} as const;

/** Sizes in bytes. The peer's are assumed equal: they are part of the protocol version. */
export const Limit = {
  /** Body of a handshake packet: all that is read of an unauthenticated peer. */
  HANDSHAKE: 4096,
  /** Body of an RPC packet. */
  RPC: 1_048_576,
  /** Payload of a DATA packet. */
  DATA: 262_144,
  /** Byte arrays above this leave the RPC packet and travel as a stream. */
  INLINE_BYTES: 16_384,
  /** One such byte array: Node's own largest read is 2 GiB, ours goes in pieces. */
  ATTACHMENT: 1_073_741_824,
  /** A value that is no byte array, packed. */
  VALUE: 67_108_864,
  /** What a sender may have in flight on a stream before the first CREDIT. */
  STREAM_WINDOW: 262_144,
  /** The most that CREDIT may make of it. */
  LARGEST_WINDOW: 8_388_608,
  /** What all windows of a connection may have grown by together. */
  GROWN_WINDOWS: 33_554_432,
  /** What all streams of a connection may hold for readers that are stalled: a stream that brings more is reset. */
  HELD: 268_435_456,
} as const;

/** The largest packet of any kind: [kind u8] and a DATA body, or an RPC body. */
export const MAX_PACKET: number = Limit.RPC + 16;

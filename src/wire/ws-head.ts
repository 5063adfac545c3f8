/** The head of a WebSocket frame (RFC 6455 §5.2), written and read. */

export const Opcode = { CONTINUATION: 0, TEXT: 1, BINARY: 2, CLOSE: 8, PING: 9, PONG: 10 } as const;
export const FIN = 0x80;
export const MASKED = 0x80;
const [SHORT, MEDIUM, LONG] = [125, 126, 127];
const MASK = 4;

/**
 * The head of a whole message of `length` bytes, in a buffer with `room` bytes left at its end; and where those begin. A
 * mask is zeros, which change nothing.
 */
export function messageHead(
  opcode: number,
  length: number,
  masked: boolean,
  room: number,
): [Buffer, number] {
  const [code, extended] = lengthCode(length);
  const size = 2 + extended + (masked ? MASK : 0);
  const bytes = Buffer.allocUnsafe(size + room);
  bytes[0] = FIN | opcode;
  bytes[1] = masked ? MASKED | code : code;
  if (extended === 2) bytes.writeUInt16BE(length, 2);
  if (extended === 8) bytes.writeBigUInt64BE(BigInt(length), 2);
  if (masked) bytes.writeUInt32BE(0, size - MASK);
  return [bytes, size];
}

/** The seven bits of a length, and how many bytes follow for what they cannot tell. */
function lengthCode(length: number): [number, 0 | 2 | 8] {
  if (length <= SHORT) return [length, 0];
  return length <= 0xffff ? [MEDIUM, 2] : [LONG, 8];
}

export interface FrameHead {
  /** FIN, reserved bits and opcode. */
  readonly first: number;
  readonly masked: boolean;
  /** Whether there is a mask that changes bytes. */
  readonly changes: boolean;
  /** Bytes of the head. */
  readonly size: number;
  /** Bytes of the payload. */
  readonly length: number;
}

/** Undefined while bytes of it are missing. */
export function readHead(bytes: Buffer): FrameHead | undefined {
  if (bytes.length < 2) return undefined;
  const [first, second] = bytes as unknown as [number, number];
  const masked = (second & MASKED) !== 0;
  const short = second & 0x7f;
  const extended = short === LONG ? 8 : short === MEDIUM ? 2 : 0;
  const start = 2 + extended;
  const size = start + (masked ? MASK : 0);
  if (bytes.length < size) return undefined;
  let length = short;
  if (extended === 2) length = bytes.readUInt16BE(2);
  if (extended === 8) length = Number(bytes.readBigUInt64BE(2));
  return { first, masked, changes: masked && bytes.readUInt32BE(start) !== 0, size, length };
}

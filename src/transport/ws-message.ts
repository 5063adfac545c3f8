/** The head of a WebSocket message (RFC 6455 §5.2). */

const FINAL_BINARY = 0x82;
const MASKED = 0x80;
const [SHORT, MEDIUM, LONG] = [125, 126, 127];
const MASK = 4;

/**
 * The start of a binary message of `length` bytes in one frame, in a buffer with `room` bytes left at its end; and where
 * those begin. A mask is zeros, which change nothing.
 */
export function messageStart(length: number, masked: boolean, room: number): [Buffer, number] {
  const [code, extended] = lengthCode(length);
  const size = 2 + extended + (masked ? MASK : 0);
  const bytes = Buffer.allocUnsafe(size + room);
  bytes[0] = FINAL_BINARY;
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

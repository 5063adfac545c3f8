/** Frames to bytes and back, as a lane does it, and hand-made msgpack. */
import { decodeFrames, encodeFrame, joinFrames, PendingFrame } from '../../src/wire/codec.ts';
import { Op } from '../../src/wire/message.ts';

/** The body of a packet with one frame, and what was detached from it by id. */
export function encode(value: unknown): { body: Uint8Array; detached: Map<number, Uint8Array> } {
  const detached = new Map<number, Uint8Array>();
  const frame = encodeFrame([Op.RETURN, 7, value], (bytes) => {
    const id = 1 + 2 * detached.size;
    detached.set(id, Buffer.from(bytes));
    return id;
  });
  return { body: joinFrames([frame], frame.length), detached };
}

/** What arrives of a value. */
export function roundTrip(value: unknown): unknown {
  const { body, detached } = encode(value);
  const [frame] = decodeFrames(Buffer.from(body));
  return (frame instanceof PendingFrame ? frame.complete(detached) : frame)?.[2];
}

/** A packet with one RETURN frame around these bytes of msgpack. */
export function returnOf(...value: readonly (number | Buffer)[]): Buffer {
  const bytes = value.map((part) => (typeof part === 'number' ? Buffer.of(part) : part));
  return Buffer.concat([Buffer.from([0x91, 0x93, Op.RETURN, 7]), ...bytes]);
}

export function extension(type: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(6);
  head[0] = 0xc9;
  head.writeUInt32BE(payload.length, 1);
  head[5] = type;
  return Buffer.concat([head, payload]);
}

export function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([0xda, bytes.length >> 8, bytes.length & 255]), bytes]);
}

export function list(...items: readonly (number | Buffer)[]): Buffer {
  const bytes = items.map((item) => (typeof item === 'number' ? Buffer.of(item) : item));
  return Buffer.concat([Buffer.from([0xdc, items.length >> 8, items.length & 255]), ...bytes]);
}

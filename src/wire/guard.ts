/**
 * A structural scan of msgpack bytes before they are decoded: depth, number of values, lengths, allowed extensions,
 * nothing behind the end. It allocates nothing, so that hostile bytes cost no more than reading them; msgpackr itself
 * can be made to hang or to hand out live objects by half a kilobyte (research: security §1.1).
 */
import { ElsewhereError } from '../base/errors.ts';

export const MAX_DEPTH = 64;
export const MAX_NODES = 262_144;
/** What one frame may have, and bytes that frames may have together: so no packet of whole frames is over the limit. */
export const MAX_BATCH: number = MAX_NODES - 64;
/** In a value that travels apart because it is large: about 250 MB of the smallest objects. */
export const MAX_LARGE_NODES = 4_194_304;
export const MAX_KEY_BYTES = 4096;
/** Our extensions; their payload is msgpack again and is scanned too. Type 0 of length 1 is msgpackr's undefined. */
export const EXT_BOXED = 1;
export const EXT_BYTES = 2;

const PROTO = Buffer.from('__proto__');

let bytes: Uint8Array = PROTO;
let at = 0;
let end = 0;
let nodes = 0;
let maxNodes = MAX_NODES;
let found: Found = 0;

/** What of ours is inside: nothing, boxed values, or also attachments. */
export type Found = 0 | 1 | 2;
export const ATTACHMENTS = 2;

/** Throws ERR_ELSEWHERE_PROTOCOL for what must not be decoded. */
export function guard(body: Uint8Array, most: number = MAX_NODES): Found {
  maxNodes = most;
  bytes = body;
  at = 0;
  end = body.length;
  nodes = 0;
  found = 0;
  value(0);
  if (at !== end) refuse('bytes behind the end');
  return found;
}

/** Whether a frame of our own holds no more values than a packet may. */
export function fitsBatch(frame: Uint8Array): boolean {
  try {
    guard(frame);
  } catch {
    return false;
  }
  return nodes <= MAX_BATCH;
}

/** Whether a large value of our own is one that the other side takes. */
export function fitsLarge(packed: Uint8Array): boolean {
  try {
    guard(packed, MAX_LARGE_NODES);
    return true;
  } catch {
    return false;
  }
}

function value(depth: number): void {
  if (depth > MAX_DEPTH) refuse('values nested too deep');
  if (++nodes > maxNodes) refuse('too many values');
  const byte = take(1);
  if (byte < 0x80 || byte >= 0xe0) return;
  if (byte < 0x90) return map(byte & 0x0f, depth);
  if (byte < 0xa0) return list(byte & 0x0f, depth);
  if (byte < 0xc0) return skip(byte & 0x1f);
  other(byte, depth);
}

/** The codes from 0xc0 to 0xdf, in their order. */
function other(byte: number, depth: number): void {
  if (byte === 0xc1) refuse('an unused code');
  if (byte <= 0xc3) return;
  if (byte <= 0xc6) return skip(length(byte - 0xc4));
  if (byte <= 0xc9) return extension(length(byte - 0xc7), depth);
  if (byte <= 0xcb) return skip(byte === 0xca ? 4 : 8);
  if (byte <= 0xd3) return skip(1 << (byte & 3));
  if (byte <= 0xd8) return extension(1 << (byte - 0xd4), depth);
  if (byte <= 0xdb) return skip(length(byte - 0xd9));
  if (byte <= 0xdd) return list(length(byte - 0xdb), depth);
  map(length(byte - 0xdd), depth);
}

/** A length of 1, 2 or 4 bytes, big endian: `size` is 0, 1 or 2. */
function length(size: number): number {
  let total = 0;
  for (let i = 0; i < 1 << size; i++) total = total * 256 + take(1);
  return total;
}

function take(count: number): number {
  if (at + count > end) refuse('a value that is cut off');
  const byte = bytes[at] as number;
  at += count;
  return byte;
}

function skip(count: number): void {
  if (count > end - at) refuse('a length beyond the end');
  at += count;
}

function list(count: number, depth: number): void {
  if (count > end - at) refuse('a list longer than its bytes');
  for (let i = 0; i < count; i++) value(depth + 1);
}

function map(count: number, depth: number): void {
  if (count * 2 > end - at) refuse('a map longer than its bytes');
  for (let i = 0; i < count; i++) {
    key();
    value(depth + 1);
  }
}

/** Only strings, as objects have. */
function key(): void {
  nodes++;
  const byte = take(1);
  let size = -1;
  if (byte >= 0xa0 && byte < 0xc0) size = byte & 0x1f;
  else if (byte >= 0xd9 && byte <= 0xdb) size = length(byte - 0xd9);
  if (size < 0 || size > MAX_KEY_BYTES) refuse('a key that is not a short string');
  const start = at;
  skip(size);
  if (size === PROTO.length && isProto(start)) refuse('a key named __proto__');
}

function isProto(start: number): boolean {
  for (let i = 0; i < PROTO.length; i++) if (bytes[start + i] !== PROTO[i]) return false;
  return true;
}

function extension(size: number, depth: number): void {
  const type = take(1);
  if (size > end - at) refuse('an extension beyond the end');
  if (type === 0 && size === 1) return skip(1);
  if (type !== EXT_BOXED && type !== EXT_BYTES)
    refuse(`an extension that is not allowed (${type})`);
  if (found !== ATTACHMENTS) found = type === EXT_BYTES ? ATTACHMENTS : 1;
  const outer = end;
  const inner = at + size;
  end = inner;
  value(depth + 1);
  if (at !== inner) refuse('bytes behind the end of an extension');
  end = outer;
}

function refuse(what: string): never {
  throw new ElsewhereError(
    'ERR_ELSEWHERE_PROTOCOL',
    `the peer broke the protocol: it sent ${what}`,
  );
}

/**
 * Memory for large byte arrays that are soon done with. The system gives fresh memory a page at a time, as it is first
 * written, and that costs many times what copying the bytes does: so what is done with is used again.
 */

/** Smaller arrays are cheap to have. */
const MIN = 16 * 1024;
/** What need not be of one very length is of a multiple of this. */
const STEP = 16 * 1024;
/** Bytes that wait to be used again, at most. */
const MAX_SPARE = 16 * 1024 * 1024;
/** Milliseconds without use after which nothing is kept. */
const IDLE = 10_000;

/** By length: the sizes of pieces and packets are few. */
const spare = new Map<number, ArrayBuffer[]>();
let spareBytes = 0;
/** Whether anything was used again since the timer last ran, and whether there is a timer. */
let used = false;
let watched = false;

const lent = new WeakSet<ArrayBuffer>();
const lentUntilSent = new WeakSet<ArrayBuffer>();

/** Bytes with any content, to be written in full. They are the caller's for good, unless it gives them back. */
export function lend(length: number): Buffer {
  return lendOf(lent, length);
}

/** Nobody may use these bytes any more, whole or in part. Nothing happens if they were not lent. */
export function giveBack(bytes: Uint8Array): void {
  settle(lent, bytes);
}

/** As `lend`, for bytes that are handed to a lane: they are given back when the peer has them. */
export function lendUntilSent(length: number): Buffer {
  return lendOf(lentUntilSent, length);
}

/** As `lend`, in memory that may be larger: so it fits again, although the lengths are many. */
export function lendRoom(length: number): Buffer {
  return roomOf(lent, length);
}

/** A copy of these bytes, lent. */
export function lendCopy(bytes: Uint8Array): Buffer {
  const copy = lendRoom(bytes.length);
  copy.set(bytes);
  return copy;
}

/** As `lendUntilSent`, in memory that may be larger. */
export function lendRoomUntilSent(length: number): Buffer {
  return roomOf(lentUntilSent, length);
}

/** The peer has these bytes. */
export function sent(bytes: Uint8Array): void {
  settle(lentUntilSent, bytes);
}

function lendOf(loans: WeakSet<ArrayBuffer>, length: number): Buffer {
  if (length < MIN) return Buffer.allocUnsafeSlow(length);
  const memory = take(length);
  loans.add(memory);
  return Buffer.from(memory);
}

function roomOf(loans: WeakSet<ArrayBuffer>, length: number): Buffer {
  if (length < MIN) return Buffer.allocUnsafe(length);
  return lendOf(loans, Math.ceil(length / STEP) * STEP).subarray(0, length);
}

function settle(loans: WeakSet<ArrayBuffer>, bytes: Uint8Array): void {
  const memory = bytes.buffer as ArrayBuffer;
  if (loans.delete(memory)) keep(memory);
}

function take(length: number): ArrayBuffer {
  const memory = spare.get(length)?.pop();
  if (memory === undefined) return Buffer.allocUnsafeSlow(length).buffer as ArrayBuffer;
  spareBytes -= length;
  used = true;
  return memory;
}

function keep(memory: ArrayBuffer): void {
  const length = memory.byteLength;
  if (length > MAX_SPARE) return;
  if (spareBytes + length > MAX_SPARE) spare.clear();
  if (spare.size === 0) spareBytes = 0;
  const list = spare.get(length);
  if (list === undefined) spare.set(length, [memory]);
  else list.push(memory);
  spareBytes += length;
  watch();
}

function watch(): void {
  if (watched) return;
  watched = true;
  setTimeout(dropIfIdle, IDLE).unref();
}

function dropIfIdle(): void {
  watched = false;
  if (used) {
    used = false;
    return watch();
  }
  spare.clear();
  spareBytes = 0;
}

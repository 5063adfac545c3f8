/** Frames to bytes and back: the only importer of msgpackr. What may travel is decided by box.ts and unbox.ts. */
import { addExtension, Packr, Unpackr } from 'msgpackr';
import { ElsewhereError } from '../base/errors.ts';
import { Boxed, BoxedBytes, Boxer, type Detach } from './box.ts';
import { isFlat } from './flat.ts';
import {
  ATTACHMENTS,
  EXT_BOXED,
  EXT_BYTES,
  fitsBatch,
  fitsLarge,
  guard,
  MAX_BATCH,
  MAX_LARGE_NODES,
} from './guard.ts';
import { Limit, Op } from './message.ts';
import { Referring, Sealed } from './sealed.ts';
import { Tag } from './tags.ts';
import { Unboxer } from './unbox.ts';

export type { Detach } from './box.ts';

// msgpackr's registry is global to its copy, so ours is a private one (the bundle holds it).
addExtension({
  Class: Boxed,
  type: EXT_BOXED,
  pack: (boxed: Boxed) => boxed.payload as Buffer,
  unpack: (bytes: Uint8Array) => new Boxed(bytes),
});
addExtension({
  Class: BoxedBytes,
  type: EXT_BYTES,
  pack: (boxed: BoxedBytes) => boxed.payload as Buffer,
  unpack: (bytes: Uint8Array) => new BoxedBytes(bytes),
});

const OPTIONS = {
  useRecords: false,
  structuredClone: false,
  mapsAsObjects: true,
  int64AsType: 'bigint',
  copyBuffers: true,
} as const;
const packr = new Packr(OPTIONS);
/** Payloads are packed while an outer value waits, so they have a packer of their own. */
const inner = new Packr(OPTIONS);
const unpackr = new Unpackr(OPTIONS);

/** Takes as many bytes as an id can. */
const LONGEST_ID = 0xffff_ffff;

const pack = (value: unknown): Uint8Array => inner.pack(value);
const unpack = (bytes: Uint8Array): unknown => unpackr.unpack(bytes);

/** A byte array that travels as a stream of its own. */
export interface Attachment {
  readonly id: number;
  readonly length: number;
}

/** A frame that waits for its attachments. `head` is its first elements (opcode, id, method), which have none. */
export class PendingFrame {
  readonly attachments: readonly Attachment[];
  readonly head: unknown[];
  readonly #rest: Uint8Array;

  constructor(head: unknown[], rest: Uint8Array, attachments: readonly Attachment[]) {
    this.head = head;
    this.#rest = rest;
    this.attachments = attachments;
  }

  /** Bytes of all attachments, as announced. */
  get size(): number {
    return this.attachments.reduce((sum, { length }) => sum + length, 0);
  }

  /** The whole frame. */
  complete(bytes: ReadonlyMap<number, Uint8Array>): unknown[] {
    const fetch = (id: number): Buffer => bytes.get(id) as Buffer;
    return [...this.head, new Unboxer(unpack, fetch).whole(unpack(this.#rest))];
  }
}

/**
 * Packs one frame now: what the caller changes afterwards is not seen, but for byte arrays over Limit.INLINE_BYTES, which
 * are handed to `detach` as they are. Throws TypeError for values that cannot travel, ERR_ELSEWHERE_LIMIT for too large ones.
 */
export function encodeFrame(frame: readonly unknown[], detach: Detach): Uint8Array {
  const last = frame[frame.length - 1];
  const referring = referringOf(last);
  if (referring === undefined) return packFrame(frame, detach);
  let sent = false;
  try {
    const packed = packFrame(frame, detach);
    sent = true;
    return packed;
  } finally {
    referring.settled(sent);
  }
}

function packFrame(frame: readonly unknown[], detach: Detach): Uint8Array {
  const { boxed, attached } = boxFrame(frame, detach);
  const packed = packr.pack(boxed);
  return isSmall(packed) ? packed : packr.pack(apart(boxed, packed, attached, detach));
}

/** The result of a call, or the one argument of it. */
function referringOf(last: unknown): Referring | undefined {
  const only: unknown = Array.isArray(last) && last.length === 1 ? last[0] : last;
  return only instanceof Referring ? only : undefined;
}

/** Each value takes a byte at least, so only large frames can have too many. */
function isSmall(packed: Uint8Array): boolean {
  return packed.length <= Limit.RPC - 64 && (packed.length <= MAX_BATCH || fitsBatch(packed));
}

/** Throws for what the other side would not take: it must fail here, not cost the link there. */
function checkSize(packed: Uint8Array): void {
  if (packed.length > Limit.VALUE) throw tooLarge(`${packed.length} bytes`, `${Limit.VALUE}`);
  if (!isSmall(packed) && !fitsLarge(packed))
    throw tooLarge('so many values', `${MAX_LARGE_NODES}`);
}

/** The same frame with its last element as an attachment. */
function apart(
  frame: readonly unknown[],
  packed: Uint8Array,
  attached: readonly BoxedBytes[],
  detach: Detach,
): readonly unknown[] {
  checkSize(packed);
  // A frame is a short list: its header is one byte, with or without the last element.
  const head = packr.pack(frame.slice(0, -1)).length;
  const bytes = packed.subarray(head);
  const place = new BoxedBytes(pack([detach(bytes), bytes.length]));
  return [...frame.slice(0, -1), new Boxed(pack([Tag.PACKED, place, ...attached]))];
}

function tooLarge(size: string, limit: string): ElsewhereError {
  return new ElsewhereError(
    'ERR_ELSEWHERE_LIMIT',
    `arguments or result of ${size} are too large for one call (${limit}): send byte arrays or a stream`,
  );
}

interface BoxedFrame {
  readonly boxed: readonly unknown[];
  readonly attached: readonly BoxedBytes[];
}

/** Boxes the last element (arguments, value or error); the others are numbers and names. */
function boxFrame(frame: readonly unknown[], detach: Detach): BoxedFrame {
  const last = frame[frame.length - 1];
  const referring = referringOf(last);
  const value = referring === undefined ? last : referring.value;
  const place = (boxed: unknown): readonly unknown[] =>
    replaceLast(frame, referring !== undefined && Array.isArray(last) ? [boxed] : boxed);
  if (isFlat(value)) return { boxed: place(value), attached: NONE };
  const detached: Uint8Array[] = [];
  // Ids are only taken when the whole frame is known to be sound.
  const collect: Detach = (bytes) => {
    if (bytes.length > Limit.ATTACHMENT)
      throw tooLarge(`a byte array of ${bytes.length} bytes`, `${Limit.ATTACHMENT} each`);
    detached.push(bytes);
    return LONGEST_ID;
  };
  let boxer = new Boxer(pack, collect, false, referring);
  let boxed = seal(boxer, boxer.value(value));
  const graph = boxer.shared;
  if (graph) {
    detached.length = 0;
    boxer = new Boxer(pack, collect, true, referring);
    boxed = seal(boxer, boxer.table(value));
  }
  if (detached.length > 0) {
    checkSize(packr.pack(place(boxed)));
    boxer = new Boxer(pack, detach, graph, referring);
    boxed = seal(boxer, graph ? boxer.table(value) : boxer.value(value));
  }
  return { boxed: place(boxed), attached: boxer.attached };
}

const NONE: readonly BoxedBytes[] = [];
function seal(boxer: Boxer, boxed: unknown): unknown {
  return boxer.referred ? new Boxed(pack([Tag.SEALED, boxed])) : boxed;
}

function replaceLast(frame: readonly unknown[], boxed: unknown): readonly unknown[] {
  return boxed === frame[frame.length - 1] ? frame : [...frame.slice(0, -1), boxed];
}

/** Encoded frames as the body of one RPC packet: a msgpack list. */
export function joinFrames(frames: readonly Uint8Array[], total: number): Uint8Array {
  const body = Buffer.allocUnsafe(3 + total);
  body[0] = 0xdc;
  body.writeUInt16BE(frames.length, 1);
  let at = 3;
  for (const frame of frames) {
    body.set(frame, at);
    at += frame.length;
  }
  return body;
}

/** Scans, unpacks and unboxes the body of an RPC packet. Throws ERR_ELSEWHERE_PROTOCOL for anything malformed. */
export function decodeFrames(body: Uint8Array): (unknown[] | PendingFrame)[] {
  const found = guard(body);
  let frames: unknown;
  try {
    frames = unpack(body);
  } catch (error) {
    throw malformed(error);
  }
  if (!Array.isArray(frames)) throw malformed();
  for (let i = 0; i < frames.length; i++) {
    checkFrame(frames[i]);
    if (found === ATTACHMENTS) frames[i] = unboxFrame(frames[i] as unknown[]);
    else buffersIn(frames[i] as unknown[]);
  }
  return frames as (unknown[] | PendingFrame)[];
}

function unboxFrame(frame: unknown[]): unknown[] | PendingFrame {
  const attachments: Attachment[] = [];
  const fetch = (id: number, length: number): Buffer => {
    attachments.push({ id, length });
    return Buffer.alloc(0);
  };
  const head = frame.slice(0, -1);
  const last = frame[frame.length - 1];
  // Unboxing works in place, so what may be needed again is kept packed.
  const kept = mayHaveAttachments(last) ? Buffer.from(packr.pack(last)) : undefined;
  const value = new Unboxer(unpack, fetch).whole(last);
  countSealed(value);
  if (attachments.length > 0 && kept !== undefined)
    return new PendingFrame(head, kept, attachments);
  head.push(value);
  return head;
}

/** Sealed values hide theirs. */
function countSealed(value: unknown): void {
  const only: unknown = Array.isArray(value) && value.length === 1 ? value[0] : value;
  if (only instanceof Sealed) only.open(() => null);
}

function mayHaveAttachments(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (value instanceof BoxedBytes || value instanceof Boxed) return true;
  if (Array.isArray(value)) return value.some(mayHaveAttachments);
  return !(value instanceof Uint8Array) && Object.values(value).some(mayHaveAttachments);
}

/** Byte arrays are Buffers on arrival, also where nothing had to be unboxed. */
function buffersIn(frame: unknown[]): void {
  const last = frame[frame.length - 1];
  if (typeof last === 'object' && last !== null)
    frame[frame.length - 1] = new Unboxer(unpack, noFetch).value(last);
}

const noFetch = (): Buffer => Buffer.alloc(0);

const LENGTHS: Readonly<Record<number, number>> = {
  [Op.CALL]: 4,
  [Op.RETURN]: 3,
  [Op.THROW]: 3,
  [Op.CANCEL]: 2,
  [Op.NOTIFY]: 3,
  [Op.OPEN]: 4,
  [Op.SIGNAL]: 3,
};

function checkFrame(frame: unknown): void {
  if (!Array.isArray(frame) || typeof frame[0] !== 'number') throw malformed();
  // A call may have its time limit before its arguments.
  const length = frame.length === 5 && frame[0] === Op.CALL ? 4 : frame.length;
  if (length !== LENGTHS[frame[0]]) throw malformed();
  const id = frame[1];
  if (frame[0] !== Op.NOTIFY && !(typeof id === 'number' && Number.isSafeInteger(id) && id >= 0))
    throw malformed();
}

function malformed(cause?: unknown): ElsewhereError {
  return new ElsewhereError(
    'ERR_ELSEWHERE_PROTOCOL',
    'the peer broke the protocol: it sent a malformed frame',
    { cause },
  );
}

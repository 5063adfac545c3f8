/** What is inside a boxed value: `[tag, ...fields]`. The numbers are part of the protocol. */
export const Tag = {
  NEGATIVE_ZERO: 1,
  BIGINT: 2,
  DATE: 3,
  REGEXP: 4,
  MAP: 5,
  SET: 6,
  URL: 7,
  ARRAY_BUFFER: 8,
  /** [VIEW, class name, bytes] */
  VIEW: 9,
  /** [ERROR, class name, message, stack, own properties, extras] */
  ERROR: 10,
  /** [GRAPH, nodes]: values with shared parts or cycles, as a table; the first node is the value. */
  GRAPH: 11,
  /** [REF, index] only inside GRAPH. */
  REF: 12,
  /** [ARRAY, items] and [OBJECT, entries] only inside GRAPH. */
  ARRAY: 13,
  OBJECT: 14,
  /** [TEXT, bytes] a string that travelled as an attachment. */
  TEXT: 15,
  /** [SEALED, value] a value with references among it; never inside another one. */
  SEALED: 16,
  /** [HANDLE, ...fields] a reference; only inside SEALED. */
  HANDLE: 17,
  /** [INSTANCE, name, own properties] of a class that is registered by value. */
  INSTANCE: 18,
  /** [PACKED, bytes, ...attachments in them] a value that is too large for its packet; never inside another one. */
  PACKED: 19,
  /** [PRIMITIVE, value] what `Object(value)` gives for a number, string, boolean or bigint. */
  PRIMITIVE: 20,
  /** [SPARSE, length, [index, value, …]] an array with holes. */
  SPARSE: 21,
  /** [UTF16, bytes, little endian] a string with halves of surrogate pairs, which UTF-8 does not have. */
  UTF16: 22,
} as const;

/** Classes of byte views that travel. */
export const VIEWS: Readonly<Record<string, { new (buffer: ArrayBuffer): ArrayBufferView }>> =
  Object.assign(Object.create(null), {
    Int8Array,
    Uint8Array,
    Uint8ClampedArray,
    Int16Array,
    Uint16Array,
    Int32Array,
    Uint32Array,
    Float32Array,
    Float64Array,
    BigInt64Array,
    BigUint64Array,
    DataView,
  });

/** Classes of errors that are rebuilt; anything else arrives as Error with its name. */
export const ERRORS: Readonly<Record<string, ErrorConstructor>> = Object.assign(
  Object.create(null),
  {
    Error,
    EvalError,
    RangeError,
    ReferenceError,
    SyntaxError,
    TypeError,
    URIError,
  },
);

/** An array with holes costs nothing to send, whatever its length; who goes through it pays for each. */
export const MAX_SPARSE = 1_048_576;
export const MAX_STACK = 16_384;
/** Decimal digits of a bigint: 256 bytes. */
export const MAX_BIGINT_DIGITS = 617;

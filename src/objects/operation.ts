/** What one side may ask of an object that the other side holds. Numbers and shapes are part of the protocol. */

export const Operation = {
  GET: 0,
  CALL: 1,
  CONSTRUCT: 2,
  /** params: [value] */
  SET: 3,
  HAS: 4,
  DELETE: 5,
  /** Names of the members that can be asked for. */
  KEYS: 6,
  /** What a promise settles to. */
  SETTLE: 7,
  /** params: [count]: begins an iteration; the answer is [cursor, items, done]. */
  ITERATE: 8,
  /** params: [count]: the next items of a cursor: [items, done]. */
  NEXT: 9,
  /** The value as data, by its own enumerable properties. */
  COPY: 10,
  /** Disposes of it as `await using` does, where it has a way; the answer says whether it had. */
  DISPOSE: 11,
} as const;

/** The same numbers in words, for who looks at them. */
export const OPERATIONS: readonly OperationName[] = [
  'get',
  'call',
  'construct',
  'set',
  'has',
  'delete',
  'keys',
  'settle',
  'iterate',
  'next',
  'copy',
  'dispose',
];
export type OperationName =
  | 'get'
  | 'call'
  | 'construct'
  | 'set'
  | 'has'
  | 'delete'
  | 'keys'
  | 'settle'
  | 'iterate'
  | 'next'
  | 'copy'
  | 'dispose';

/** [call number, numbers given back, target, path, operation, params, set of standard streams (none: its own)] */
export const DO = 'object.do';
/** The same without an answer: [target, path, operation, params] */
export const TELL = 'object.tell';
/** [numbers given back, id, count, id, count, …] */
export const RELEASE = 'object.release';
/** [next, number, number, …]: of the call numbers below `next` only these will still be named. */
export const ONLY = 'object.only';
/** [id, reason]: a signal that was handed over has been aborted. */
export const ABORT = 'object.abort';

/** An export's id, a root's name, or [call number] for what a call under way will give. */
export type TargetName = number | string | readonly [number];

/** The first field of a reference on the wire. */
export const Shape = {
  FUNCTION: 'f',
  OBJECT: 'o',
  PROMISE: 'p',
  ITERATOR: 'i',
  READABLE: 'r',
  WRITABLE: 'w',
  SIGNAL: 's',
  /** [YOURS, target, path]: the receiver's own object comes home. */
  YOURS: 'y',
} as const;
export type ShapeName = (typeof Shape)[keyof typeof Shape];

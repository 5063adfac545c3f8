/**
 * Values that hold references among them. The wire carries a reference as a few numbers and names; what they mean, and
 * which values become references, is the business of whoever sends and opens them.
 */

/** What stands for a reference on the wire: numbers, strings, null, or lists of them. */
export type Fields = readonly unknown[];

/** The last element of a frame, or the only argument of a call, whose references are made by `refer`. */
export class Referring {
  readonly value: unknown;
  /** Whether errors inside keep their stacks. */
  readonly stacks: boolean;
  /** The fields for a function or an object that is no data; undefined for what cannot travel. May be asked again. */
  readonly refer: (value: object) => Fields | undefined;
  /** Called once, when the frame is encoded (true) or cannot be (false). */
  readonly settled: (sent: boolean) => void;

  constructor(
    value: unknown,
    refer: (value: object) => Fields | undefined,
    settled: (sent: boolean) => void = () => undefined,
    stacks = true,
  ) {
    this.value = value;
    this.refer = refer;
    this.settled = settled;
    this.stacks = stacks;
  }
}

/** Its value travels as data, by its own enumerable properties, whatever its class. */
export class ByValue {
  readonly value: object;
  constructor(value: object) {
    this.value = value;
  }
}

/** What arrives where references are inside: nothing happens before it is opened. */
export class Sealed {
  /** The value, with references made by `resolve`. */
  readonly open: (resolve: (fields: Fields) => unknown) => unknown;
  constructor(open: (resolve: (fields: Fields) => unknown) => unknown) {
    this.open = open;
  }
}

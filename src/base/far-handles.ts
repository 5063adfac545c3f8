/**
 * What one patch has opened on the far side and another may use there: the stdio of a far child can be a far file, or
 * the far side's own standard stream. Patches don't know each other, so they meet here. Nothing in it does any I/O.
 */

/** An open file of the far side, as the near side knows it. */
export interface FarDescriptor {
  readonly connection: object;
  /** The far side's number for it. */
  readonly id: number;
  /** Moves the far file's position to where the program believes it to be. */
  settle(): void;
  /** Another descriptor of the same open file, to be closed by itself. */
  duplicate(): number;
}

/** What 0, 1 or 2 means to the running code, where that is not this process's own descriptor. */
export interface StandardFile {
  /** Blocks until the bytes are written, behind all that was written before. */
  writeSync(bytes: Uint8Array): void;
  write(bytes: Uint8Array, done: (error?: Error | null) => void): void;
  /** At most `length` bytes, at least one; none at the end. Blocks; throws EAGAIN where that is not possible. */
  readSync(length: number): Uint8Array;
  read(length: number, done: (error: unknown, bytes?: Uint8Array) => void): void;
  /** As the fs patch has them on the wire. */
  stats(): BigInt64Array;
  /** While a read or write is under way. */
  hold(): void;
  release(): void;
}

type Lookup<K, V> = (key: K) => V | undefined;

let descriptors: Lookup<number, FarDescriptor> = () => undefined;
let standards: Lookup<number, StandardFile> = () => undefined;
const held = new WeakMap<object, Lookup<number, number>>();
const standard = new WeakMap<object, object>();

/** Near side: tells how to find the far file of a virtual descriptor. */
export function provideDescriptors(lookup: Lookup<number, FarDescriptor>): void {
  descriptors = lookup;
}

export function farDescriptor(descriptor: number): FarDescriptor | undefined {
  return descriptors(descriptor);
}

/** Near side: tells what the standard descriptors mean in the current scope. */
export function provideStandards(lookup: Lookup<number, StandardFile>): void {
  standards = lookup;
}

/** `descriptor` is 0, 1 or 2. */
export function standardFile(descriptor: number): StandardFile | undefined {
  return standards(descriptor);
}

/** Far side: tells how to find a client's open file; `session` is the context that its remote halves share. */
export function provideHeld(session: object, lookup: Lookup<number, number>): void {
  held.set(session, lookup);
}

export function heldDescriptor(session: object, id: number): number | undefined {
  return held.get(session)?.(id);
}

/** Near side: this stream is a standard stream of the process at the other end of `connection`. */
export function markFarStandard(stream: object, connection: object): void {
  standard.set(stream, connection);
}

export function farStandardOf(stream: object): object | undefined {
  return standard.get(stream);
}

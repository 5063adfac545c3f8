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

type Lookup<K, V> = (key: K) => V | undefined;

let descriptors: Lookup<number, FarDescriptor> = () => undefined;
const held = new WeakMap<object, Lookup<number, number>>();
const standard = new WeakMap<object, object>();

/** Near side: tells how to find the far file of a virtual descriptor. */
export function provideDescriptors(lookup: Lookup<number, FarDescriptor>): void {
  descriptors = lookup;
}

export function farDescriptor(descriptor: number): FarDescriptor | undefined {
  return descriptors(descriptor);
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

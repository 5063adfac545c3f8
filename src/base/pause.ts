/** Made at first use: a program may run without SharedArrayBuffer. */
let clock: Int32Array | undefined;

/** Blocks this thread for so many milliseconds. */
export function pause(milliseconds: number): void {
  clock ??= new Int32Array(new SharedArrayBuffer(4));
  Atomics.wait(clock, 0, 0, milliseconds);
}

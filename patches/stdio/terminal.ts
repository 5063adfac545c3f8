/**
 * What a stream has only where it is a terminal. Programs look whether `cursorTo` or `setRawMode` is there, so on what is
 * no terminal these are undefined, as in Node.
 */

/** Makes members of `prototype` that are `from`'s for a terminal, and undefined otherwise. */
export function onTerminals<T extends { readonly isTTY: boolean | undefined }>(
  prototype: T,
  from: object,
  names: readonly string[],
): void {
  for (const name of names) {
    const member: unknown = Reflect.get(from, name);
    Object.defineProperty(prototype, name, {
      configurable: true,
      get(this: T) {
        return this.isTTY === true ? member : undefined;
      },
    });
  }
}

/** Makes a function look like the one that it replaces: name, length, and own properties such as `realpath.native`. */

type AnyFunction = (...args: never[]) => unknown;

export function wrapping<F extends AnyFunction>(original: AnyFunction, replacement: F): F {
  for (const key of Reflect.ownKeys(original)) {
    const descriptor = Object.getOwnPropertyDescriptor(original, key) as PropertyDescriptor;
    const own = Object.getOwnPropertyDescriptor(replacement, key);
    if (own === undefined || own.configurable === true)
      Object.defineProperty(replacement, key, descriptor);
  }
  return replacement;
}

const text = Function.prototype.toString;

/**
 * A substitute looks like what it replaces: name, length, own symbols (`util.promisify.custom`) and source text, which code
 * relies on.
 */
export function likeOriginal<T extends (...args: never[]) => unknown>(
  original: T,
  substitute: T,
): T {
  for (const key of Reflect.ownKeys(original)) {
    if (key === 'prototype') continue;
    const descriptor = Object.getOwnPropertyDescriptor(original, key) as PropertyDescriptor;
    if (Object.getOwnPropertyDescriptor(substitute, key)?.configurable !== false)
      Object.defineProperty(substitute, key, descriptor);
  }
  const sameText = (): string => text.call(original);
  Object.defineProperty(substitute, 'toString', {
    value: sameText,
    configurable: true,
    writable: true,
  });
  return substitute;
}

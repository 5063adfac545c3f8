/** Node's internal bindings: the objects that Node's own JavaScript calls dynamically. */

/**
 * The binding of that name, undefined where Node refuses (`--permission`). Under --pending-deprecation the call would
 * warn (DEP0111) about something the program did not do, so it is made silently.
 */
export function nodeBinding<T extends object>(name: string): T | undefined {
  const { binding } = process as unknown as { binding(name: string): T };
  const before = Object.getOwnPropertyDescriptor(process, 'noDeprecation');
  // Under --no-deprecation the property is read-only.
  Object.defineProperty(process, 'noDeprecation', { value: true, configurable: true });
  try {
    return binding.call(process, name);
  } catch {
    return undefined;
  } finally {
    Reflect.deleteProperty(process, 'noDeprecation');
    if (before !== undefined) Object.defineProperty(process, 'noDeprecation', before);
  }
}

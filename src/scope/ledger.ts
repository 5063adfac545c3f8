/**
 * The list of what was substituted, undone in reverse. Property descriptors are kept and restored exactly, also where two
 * patches substitute the same property: the later one then wraps the earlier.
 */
import { ElsewhereError } from '../base/errors.ts';

export class Ledger {
  #undo: (() => void)[] = [];

  /** Replaces a data property, keeping its attributes. Returns the value before. */
  replace<T extends object, K extends keyof T>(object: T, key: K, value: T[K]): T[K] {
    const before = object[key];
    const own = Object.getOwnPropertyDescriptor(object, key);
    const attributes = own ?? { writable: true, enumerable: true, configurable: true };
    this.redefine(object, key, {
      writable: true,
      enumerable: attributes.enumerable ?? true,
      configurable: true,
      value,
    });
    return before;
  }

  /** Defines a property with any descriptor. Returns the own descriptor before. */
  redefine(
    object: object,
    key: PropertyKey,
    descriptor: PropertyDescriptor,
  ): PropertyDescriptor | undefined {
    const before = Object.getOwnPropertyDescriptor(object, key);
    if (before?.configurable === false) this.#assign(object, key, descriptor, before);
    else this.#define(object, key, descriptor, before);
    return before;
  }

  #define(
    object: object,
    key: PropertyKey,
    descriptor: PropertyDescriptor,
    before: PropertyDescriptor | undefined,
  ): void {
    Object.defineProperty(object, key, descriptor);
    this.onUninstall(() => {
      if (before === undefined) Reflect.deleteProperty(object, key);
      else Object.defineProperty(object, key, before);
    });
  }

  /** For properties that may be written but not redefined. */
  #assign(
    object: object,
    key: PropertyKey,
    descriptor: PropertyDescriptor,
    before: PropertyDescriptor,
  ): void {
    if (!Reflect.set(object, key, descriptor.value)) {
      throw new ElsewhereError(
        'ERR_ELSEWHERE_UNSUPPORTED',
        `cannot substitute ${String(key)}: it is frozen in this process`,
      );
    }
    this.onUninstall(() => Reflect.set(object, key, before.value));
  }

  onUninstall(undo: () => void): void {
    this.#undo.push(undo);
  }

  /** Takes everything back, the last first. */
  undo(): void {
    const steps = this.#undo.reverse();
    this.#undo = [];
    for (const step of steps) step();
  }
}

/** Classes that both sides know by a name: what instances of them become on the way, and on arrival. */
import { ElsewhereError } from '../base/errors.ts';
import { ERRORS } from './tags.ts';

// biome-ignore lint/suspicious/noExplicitAny: any class.
type AnyClass = abstract new (...args: any[]) => object;

export interface ClassOptions {
  /** The name on the wire, the same on both sides. Default: the class's own. */
  readonly name?: string;
  /**
   * 'value' (default): instances are copied by their own enumerable properties, and arrive as instances of what the
   * other side has registered under the name, a plain object if nothing. Their constructor does not run there, so a
   * class with private fields must go by reference. 'reference': instances go by reference as ever, and such a
   * reference is `instanceof` the class.
   */
  readonly by?: 'value' | 'reference';
}

interface Known {
  readonly name: string;
  readonly Class: AnyClass;
  readonly by: 'value' | 'reference';
}

const byName = new Map<string, Known>();
const byPrototype = new Map<object, Known>();

/** Names with a meaning of their own. */
const TAKEN: ReadonlySet<string> = new Set([
  'AggregateError',
  'DOMException',
  'ElsewhereError',
  'Object',
  ...Object.keys(ERRORS),
]);

/**
 * Makes a class known to this process. Errors of it arrive as errors of it. Register it on both sides, under one name.
 * Throws ERR_ELSEWHERE_ARGUMENT for a name that is taken by another class, or no name.
 */
export function registerClass(Class: AnyClass, options: ClassOptions = {}): void {
  const { name = Class.name, by = 'value' } = options;
  const other = byName.get(name);
  if (name === '' || TAKEN.has(name) || (other !== undefined && other.Class !== Class))
    throw new ElsewhereError(
      'ERR_ELSEWHERE_ARGUMENT',
      `a class cannot be registered as ${JSON.stringify(name)}: the name is ${name === '' ? 'empty' : 'taken'}; give another one: registerClass(Class, { name })`,
    );
  const known: Known = { name, Class, by };
  byName.set(name, known);
  byPrototype.set(Class.prototype as object, known);
}

/** The name under which the class of an instance travels, if it is registered. */
export function nameByPrototype(prototype: object | null, by?: Known['by']): string | undefined {
  const known = prototype === null ? undefined : byPrototype.get(prototype);
  return known === undefined || (by !== undefined && known.by !== by) ? undefined : known.name;
}

/** The prototype for what arrives under a name; undefined where nothing is registered so. */
export function prototypeByName(name: string, by?: Known['by']): object | undefined {
  const known = byName.get(name);
  return known === undefined || (by !== undefined && known.by !== by)
    ? undefined
    : (known.Class.prototype as object);
}

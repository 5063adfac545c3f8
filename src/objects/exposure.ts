/** What the classes of an object offer to the other side: names in `static exposed`, and members marked `@exposed`. */

export interface ExposedOptions {
  /** The name for the other side. Default: the member's own. */
  readonly as?: string;
  /** A call is answered at once, with nothing: nobody hears of what it gives or throws. Default false. */
  readonly oneway?: boolean;
  /** What it gives is copied by its own enumerable properties instead of going by reference. Default false. */
  readonly byValue?: boolean;
  /** A property that may also be set. Default false. */
  readonly writable?: boolean;
}

/** How one name of the other side leads to a member. */
export interface Exposure extends ExposedOptions {
  readonly key: string | symbol;
}
export type Exposures = ReadonlyMap<string | symbol, Exposure>;

type DecoratorContext =
  | ClassDecoratorContext
  | ClassMethodDecoratorContext
  | ClassGetterDecoratorContext
  | ClassAccessorDecoratorContext
  | ClassFieldDecoratorContext;

/** Prototypes of the language: their methods are no members of anybody's objects. */
const BUILTIN: ReadonlySet<object | null> = new Set([
  null,
  ...[Object, Function, Array, Map, Set, WeakMap, WeakSet, Promise, Error, Date, RegExp].map(
    (builtin) => builtin.prototype as object,
  ),
]);

export function isBuiltin(level: object | null): boolean {
  return BUILTIN.has(level);
}

/** Functions of marked members, and marked classes. */
const marks = new WeakMap<object, ExposedOptions>();
/** Fields belong to instances. */
const fields = new WeakMap<object, Map<string | symbol, Exposure>>();
/** By prototype: a class says once what it exposes. */
const known = new WeakMap<object, Exposures | null>();

/**
 * Decorator: the other side may use this method, getter, accessor or field; of a class: may construct it. Of several
 * decorators it must be the outermost. TypeError on private and static members.
 */
export function exposed(
  options: ExposedOptions,
): (value: unknown, context: DecoratorContext) => void;
export function exposed(value: unknown, context: DecoratorContext): void;
export function exposed(
  given: unknown,
  context?: DecoratorContext,
): ((value: unknown, context: DecoratorContext) => void) | undefined {
  if (context === undefined) return (value, place) => mark(value, place, given as ExposedOptions);
  mark(given, context, {});
  return undefined;
}

function mark(value: unknown, context: DecoratorContext, options: ExposedOptions): void {
  if (context.kind === 'class') return void marks.set(value as object, options);
  const { name } = context;
  if (context.private || context.static)
    throw new TypeError(`@exposed is for public members of instances, not ${String(name)}`);
  if (context.kind === 'field')
    context.addInitializer(function (this: unknown) {
      const own = fields.get(this as object) ?? new Map<string | symbol, Exposure>();
      own.set(options.as ?? name, { ...options, key: name });
      fields.set(this as object, own);
    });
  else if (context.kind === 'accessor') marks.set((value as { get: object }).get, options);
  else marks.set(value as object, options);
}

/** What the classes of an object offer; undefined if none of them says anything. */
export function exposuresOf(object: object): Exposures | undefined {
  const proto: object | null = Object.getPrototypeOf(object);
  const byClass = proto === null ? undefined : ofPrototype(proto);
  const own = fields.get(object);
  if (own === undefined) return byClass;
  return new Map([...(byClass ?? []), ...own]);
}

function ofPrototype(proto: object): Exposures | undefined {
  if (isBuiltin(proto)) return undefined;
  const before = known.get(proto);
  if (before !== undefined) return before ?? undefined;
  const above = Object.getPrototypeOf(proto) as object | null;
  const inherited = above === null ? undefined : ofPrototype(above);
  const own = ownExposures(proto);
  const found = own === undefined ? inherited : new Map([...(inherited ?? []), ...own]);
  known.set(proto, found ?? null);
  return found;
}

/** What the class of this prototype says itself. */
function ownExposures(proto: object): Exposures | undefined {
  const found = new Map<string | symbol, Exposure>();
  const Class: unknown = Object.getOwnPropertyDescriptor(proto, 'constructor')?.value;
  const list = typeof Class === 'function' ? listOf(Class) : undefined;
  for (const key of list ?? []) found.set(key, { key });
  for (const key of Reflect.ownKeys(proto)) {
    const { value, get } = Object.getOwnPropertyDescriptor(proto, key) as PropertyDescriptor;
    const options = [value, get].map(markOf).find((marked) => marked !== undefined);
    if (options !== undefined) found.set(options.as ?? key, { ...options, key });
  }
  return list === undefined && found.size === 0 ? undefined : found;
}

function markOf(member: unknown): ExposedOptions | undefined {
  return typeof member === 'function' ? marks.get(member) : undefined;
}

/** The class's own list. */
function listOf(Class: object): readonly (string | symbol)[] | undefined {
  const list: unknown = Object.getOwnPropertyDescriptor(Class, 'exposed')?.value;
  if (!Array.isArray(list)) return undefined;
  return list.filter((name) => typeof name === 'string' || typeof name === 'symbol');
}

/** Whether a class says itself that others may use its instances, so that they may also make some. */
export function mayConstruct(Class: object): boolean {
  if (marks.has(Class) || listOf(Class) !== undefined) return true;
  const proto: unknown = Object.getOwnPropertyDescriptor(Class, 'prototype')?.value;
  return typeof proto === 'object' && proto !== null && ownExposures(proto) !== undefined;
}

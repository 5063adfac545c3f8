/**
 * `currentScope().replace(object, key, value)`: a property that has another value for what runs in one scope. The property
 * becomes an accessor for as long as any scope has a value of its own.
 */
import { currentContext } from '../base/context.ts';
import { ElsewhereError } from '../base/errors.ts';

interface Replaced {
  /** By scope. */
  readonly values: Map<object, unknown>;
  readonly before: PropertyDescriptor | undefined;
}

const known = new WeakMap<object, Map<PropertyKey, Replaced>>();

/** Returns how to undo it. Throws ERR_ELSEWHERE_UNSUPPORTED for a property that cannot be redefined. */
export function replaceIn(
  scope: object,
  object: object,
  key: PropertyKey,
  value: unknown,
): () => void {
  const replaced = replacedOf(object, key);
  const had = replaced.values.has(scope);
  replaced.values.set(scope, value);
  return () => {
    if (had) return;
    replaced.values.delete(scope);
    if (replaced.values.size === 0) restore(object, key, replaced);
  };
}

function replacedOf(object: object, key: PropertyKey): Replaced {
  const ofObject = known.get(object) ?? new Map<PropertyKey, Replaced>();
  known.set(object, ofObject);
  let replaced = ofObject.get(key);
  if (replaced === undefined) {
    replaced = { values: new Map(), before: Object.getOwnPropertyDescriptor(object, key) };
    define(object, key, replaced);
    ofObject.set(key, replaced);
  }
  return replaced;
}

function define(object: object, key: PropertyKey, { values, before }: Replaced): void {
  const inherited = (): unknown => Reflect.get(Object.getPrototypeOf(object) ?? {}, key, object);
  const isData = before !== undefined && before.get === undefined && before.set === undefined;
  const isDefined = Reflect.defineProperty(object, key, {
    configurable: true,
    enumerable: before?.enumerable ?? true,
    get(this: unknown) {
      const scope = holderOf(values);
      if (scope !== undefined) return values.get(scope);
      if (isData) return before.value;
      return before === undefined ? inherited() : before.get?.call(this);
    },
    set(this: unknown, value: unknown) {
      const scope = holderOf(values);
      if (scope !== undefined) values.set(scope, value);
      else if (isData) before.value = value;
      else before?.set?.call(this, value);
    },
  });
  if (isDefined) return;
  throw new ElsewhereError(
    'ERR_ELSEWHERE_UNSUPPORTED',
    `cannot replace ${String(key)} in a scope: the property cannot be redefined`,
  );
}

/** The innermost scope around the running code that has a value of its own. */
function holderOf(values: ReadonlyMap<object, unknown>): object | undefined {
  const { around } = Object(currentContext()) as { around?: () => Iterable<object> };
  if (around === undefined) return undefined;
  for (const scope of around.call(currentContext())) if (values.has(scope)) return scope;
  return undefined;
}

function restore(object: object, key: PropertyKey, { before }: Replaced): void {
  known.get(object)?.delete(key);
  if (before === undefined) Reflect.deleteProperty(object, key);
  else Reflect.defineProperty(object, key, before);
}

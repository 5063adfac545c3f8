/** References whose operations block: members are plain values, calls return plain values. */
import { inspect } from 'node:util';
import { ElsewhereError } from '../base/errors.ts';
import { Operation } from './operation.ts';
import { isRemote, newReference, type Place, placeOf } from './reference.ts';

type Perform = (place: Place, operation: number, params: readonly unknown[]) => unknown;
const PLACE = Symbol('elsewhere.blocking');
const TWIN = Symbol('elsewhere.twin');
type Target = (() => void) & { [PLACE]: Place; [TWIN]: unknown };

const BASE = function elsewhere(): void {
  // Never called: the proxy's traps answer.
};

/** The blocking twin of a reference, which must not be given back while the twin is in use. */
export function blocking(reference: unknown, perform: Perform): unknown {
  const place = placeOf(reference) as Place;
  /** Functions of a module stay the same: asked for once. */
  const methods = new Map<string, unknown>();
  const step = (operation: number, path: readonly string[], params: readonly unknown[]): unknown =>
    wrap(perform({ ...place, path: [...place.path, ...path] }, operation, params.map(unwrap)));
  const wrap = (value: unknown): unknown => (isRemote(value) ? blocking(value, perform) : value);
  const target = BASE.bind(undefined) as unknown as Target & Record<symbol, unknown>;
  target[PLACE] = place;
  target[TWIN] = reference;
  target[inspect.custom] = () => inspect(newReference(place));
  return new Proxy(target, {
    get(_target, key) {
      if (key === PLACE) return place;
      if (typeof key === 'symbol' || key === 'then' || key === 'toJSON') return undefined;
      if (methods.has(key)) return methods.get(key);
      const member = step(Operation.GET, [key], []);
      if (typeof member === 'function' && place.shape !== 'root')
        methods.set(
          key,
          bound(member, (args) => step(Operation.CALL, [key], args)),
        );
      else if (typeof member === 'function') methods.set(key, member);
      return methods.get(key) ?? member;
    },
    set(_target, key, value) {
      if (typeof key !== 'string') return false;
      step(Operation.SET, [key], [value]);
      return true;
    },
    has: (_target, key) => typeof key === 'string' && step(Operation.HAS, [key], []) === true,
    ownKeys: () => [],
    getOwnPropertyDescriptor: () => undefined,
    apply: (_target, _self, args) => step(Operation.CALL, [], args),
    construct: (_target, args) => step(Operation.CONSTRUCT, [], args) as object,
  });
}

/** A method keeps its object, whoever calls it. */
function bound(member: unknown, call: (args: unknown[]) => unknown): unknown {
  return new Proxy(member as () => unknown, { apply: (_target, _self, args) => call(args) });
}

/** The blocking proxy goes over as the reference that it is. */
function unwrap(value: unknown): unknown {
  const place = typeof value === 'function' ? (value as unknown as Target)[PLACE] : undefined;
  return place === undefined ? value : newReference(place);
}

/** A function of ours that the far side called meanwhile. */
export function answersLater(): ElsewhereError {
  return deadlock(
    'a function that was handed to a blocking call gave a promise, which cannot settle while that call blocks this thread: let it return its value, or use the form of the call that does not block (await conn.modules…)',
  );
}

/** An argument, or what such a function returned. */
export function settlesLater(): ElsewhereError {
  return deadlock(
    'a promise cannot be handed over by a blocking call, since it cannot settle while that call blocks this thread: await it first, or use the form of the call that does not block (await conn.modules…)',
  );
}

function deadlock(message: string): ElsewhereError {
  return new ElsewhereError('ERR_ELSEWHERE_SYNC_DEADLOCK', message);
}

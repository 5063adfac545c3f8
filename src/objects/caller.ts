/** Sends what our proxies record, numbered, so that later calls can build on one that is under way. */
import { ElsewhereError } from '../base/errors.ts';
import { iterate } from './iteration.ts';
import { type Asking, ask } from './limits.ts';
import { DO, Operation, type TargetName } from './operation.ts';
import { type Caller, type Place, placeOf, type Result } from './reference.ts';
import { callSite, joinStacks } from './stacks.ts';

export interface CallerPort extends Asking {
  readonly description: string;
  tell(place: Place, operation: number, params: readonly unknown[]): void;
  seal(value: unknown): unknown;
  open(value: unknown): unknown;
  /** Gives back an object. */
  drop(id: number): void;
  /** The numbers below `floor` will not be named again, although no call says so. */
  idle(floor: number): void;
  /** What goes along about standard streams; null for nothing. */
  stdio(): number | null;
}

interface Underway {
  readonly result: {
    number: number | undefined;
    promise: Promise<unknown>;
    settled: boolean;
    users: number;
  };
}

export class ProxyCaller implements Caller {
  readonly #port: CallerPort;
  #next = 0;
  /** Calls whose number may still be named, in their order: not settled, or needed by one that is not. */
  readonly #named = new Map<number, Underway['result']>();

  constructor(port: CallerPort) {
    this.#port = port;
  }

  get description(): string {
    return this.#port.description;
  }

  perform(place: Place, operation: number, params: readonly unknown[]): Result {
    const { result } = place;
    if (place.released === true) return failed(released(place));
    if (result === undefined) return this.#send(place.target, place, operation, params);
    // Whoever uses a result takes its failure on.
    result.promise.catch(() => undefined);
    if (result.number === undefined || result.settled)
      return this.#afterwards(place, operation, params);
    return this.#send([result.number], place, operation, params, result);
  }

  /** What the call gave is here already. */
  #afterwards(place: Place, operation: number, params: readonly unknown[]): Result {
    const promise = (place.result as Result).promise.then((value) => {
      const base = placeOf(value);
      if (base !== undefined)
        return this.perform({ ...base, path: place.path, limits: place.limits }, operation, params)
          .promise;
      return localStep(value, place.path, operation, params);
    });
    return { number: undefined, promise, settled: true, users: 0 };
  }

  #send(
    target: TargetName,
    { path, limits }: Place,
    operation: number,
    params: readonly unknown[],
    base?: Result,
  ): Result {
    const number = this.#next++;
    const result: Underway['result'] = {
      number,
      promise: Promise.resolve(),
      settled: false,
      users: 0,
    };
    const site = callSite(this.#send);
    result.promise = new Promise((resolve, reject) => {
      const stdio = this.#port.stdio();
      const message = [number, number - this.#floor(), target, path, operation, params];
      if (stdio !== null) message.push(stdio);
      const done = (error: unknown, value?: unknown): void => {
        this.#settled(result, base);
        if (error === null) return settle(resolve, reject, () => this.#port.open(value));
        joinStacks(error, site, this.description);
        reject(error);
      };
      try {
        // What comes for nobody is opened all the same, so that it is given back.
        const late = (value: unknown): void => void this.#port.open(value);
        const gaveUp = (reason: unknown): void => {
          this.#settled(result, base);
          reject(reason);
        };
        ask(this.#port, limits, DO, [this.#port.seal(message)], { done, gaveUp, late });
      } catch (error) {
        // A value that cannot travel: nothing was sent.
        result.number = undefined;
        return reject(error);
      }
      this.#named.set(number, result);
      if (base !== undefined) base.users++;
    });
    return result;
  }

  #floor(): number {
    return this.#named.keys().next().value ?? this.#next - 1;
  }

  #settled(result: Underway['result'], base: Result | undefined): void {
    result.settled = true;
    this.#unname(result);
    if (base !== undefined) {
      base.users--;
      this.#unname(base as Underway['result']);
    }
    if (this.#named.size === 0) this.#port.idle(this.#next);
  }

  #unname(result: Underway['result']): void {
    if (result.settled && result.users === 0) this.#named.delete(result.number as number);
  }

  tell(place: Place, operation: number, params: readonly unknown[]): void {
    this.#port.tell(place, operation, params);
  }

  iterate(place: Place): AsyncIterator<unknown> {
    const cursorAt = (id: number): Place => ({
      caller: this,
      target: id,
      path: [],
      label: 'iteration',
      shape: 'i',
    });
    return iterate(this, place, cursorAt);
  }

  letGo(place: Place): void {
    if (place.released === true) return;
    if (place.path.length > 0) throw new TypeError('a path holds nothing: release its reference');
    if (place.result !== undefined) {
      place.result.promise.then(
        (value) => {
          const base = placeOf(value);
          if (base !== undefined) this.letGo(base);
        },
        () => undefined,
      );
      return;
    }
    if (typeof place.target !== 'number' || place.target < 0) return;
    place.released = true;
    this.#port.drop(place.target);
  }
}

function settle(
  resolve: (value: unknown) => void,
  reject: (error: unknown) => void,
  value: () => unknown,
): void {
  try {
    resolve(value());
  } catch (error) {
    reject(error);
  }
}

/** The same as the far side would do, with a value that has come by value. */
function localStep(
  value: unknown,
  path: readonly string[],
  operation: number,
  params: readonly unknown[],
): unknown {
  let owner: unknown;
  let found = value;
  for (const key of path) {
    owner = found;
    found = (found as Record<string, unknown>)[key];
  }
  // By value there is nothing to end over there.
  if (operation === Operation.DISPOSE) return false;
  if (operation === Operation.GET || operation === Operation.COPY) return found;
  if (operation === Operation.CALL) return Reflect.apply(found as () => unknown, owner, params);
  throw new TypeError('the call has given a value, not a reference: use the value itself');
}

function failed(error: Error): Result {
  return { number: undefined, promise: Promise.reject(error), settled: true, users: 0 };
}

function released(place: Place): ElsewhereError {
  return new ElsewhereError(
    'ERR_ELSEWHERE_BAD_REFERENCE',
    `the reference to ${place.label} was released here: get a new one`,
  );
}

/** Sends what our proxies record, numbered, so that later calls can build on one that is under way. */
import { ElsewhereError } from '../base/errors.ts';
import { iterate } from './iteration.ts';
import { type Asking, ask, type Ends } from './limits.ts';
import { OpenNumbers } from './open-numbers.ts';
import { DO, Operation, type TargetName } from './operation.ts';
import { type Caller, type Place, placeOf, type Result } from './reference.ts';
import { type CallSite, callSite, failAt } from './stacks.ts';

export interface CallerPort extends Asking {
  readonly description: string;
  tell(place: Place, operation: number, params: readonly unknown[]): void;
  seal(value: unknown): unknown;
  open(value: unknown): unknown;
  /** Gives back an object. */
  drop(id: number): void;
  /** The numbers below `floor` will not be named again, although no call says so. */
  idle(floor: number): void;
  /** Of the numbers below `next` only these will. */
  only(next: number, open: readonly number[]): void;
  /** What goes along about standard streams; null for nothing. */
  stdio(): number | null;
}

/** A call of ours, until it is answered and nobody names it any more. */
class Underway implements Result {
  number: number | undefined;
  settled = false;
  users = 0;
  readonly promise: Promise<unknown>;
  readonly #site: CallSite | undefined;
  #resolve: (value: unknown) => void = ignore;
  #reject: (reason: unknown) => void = ignore;

  constructor(number: number, site: CallSite | undefined) {
    this.number = number;
    this.#site = site;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  resolve(open: (value: unknown) => unknown, value: unknown): void {
    try {
      this.#resolve(open(value));
    } catch (error) {
      this.#reject(error);
    }
  }

  reject(reason: unknown): void {
    this.#reject(reason);
  }

  /** As the far side says. */
  fail(error: unknown, description: string): void {
    failAt(this.#site, error, description, this.#resolve, this.#reject);
  }
}

function ignore(): void {
  // Until the promise has set it.
}

/** So many calls may follow one that is open before the far side is told that most are over. */
const SPREAD = 1024;

export class ProxyCaller implements Caller {
  readonly #port: CallerPort;
  /** Calls whose number may still be named: not settled, or needed by one that is not. */
  readonly #named = new OpenNumbers();
  /** Up to here the far side knows which numbers are named. */
  #told = 0;

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
    this.#tellOpen();
    const number = this.#named.open();
    const call = new Underway(number, callSite(this.#send));
    const message = [number, number - this.#named.lowest, target, path, operation, params];
    const stdio = this.#port.stdio();
    if (stdio !== null) message.push(stdio);
    const ends: Ends = {
      done: (error, value) => {
        this.#settled(call, number, base);
        if (error === null) call.resolve(this.#port.open, value);
        else call.fail(error, this.description);
      },
      gaveUp: (reason) => {
        this.#settled(call, number, base);
        call.reject(reason);
      },
      // What comes for nobody is opened all the same, so that it is given back.
      late: this.#port.open,
    };
    try {
      ask(this.#port, limits, DO, [this.#port.seal(message)], ends);
    } catch (error) {
      // A value that cannot travel: nothing was sent.
      this.#named.close(number);
      call.number = undefined;
      call.settled = true;
      call.reject(error);
      return call;
    }
    if (base !== undefined) base.users++;
    return call;
  }

  /** A call that takes long, such as the next item of an iteration, must not keep what all later ones have given. */
  #tellOpen(): void {
    const { next, lowest, size } = this.#named;
    if (next - this.#told < SPREAD) return;
    // Each tells of as many calls as it names, or more.
    if (next - lowest >= SPREAD && next - this.#told < 4 * size) return;
    this.#told = next;
    if (next - lowest >= SPREAD) this.#port.only(next, this.#named.all());
  }

  #settled(call: Underway, number: number, base: Result | undefined): void {
    call.settled = true;
    if (call.users === 0) this.#named.close(number);
    if (base !== undefined) {
      base.users--;
      if (base.settled && base.users === 0) this.#named.close(base.number as number);
    }
    if (this.#named.size === 0) this.#port.idle(this.#named.lowest);
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

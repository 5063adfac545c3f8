/**
 * One end of a session as far as objects go: what we handed over, what we hold, and the calls on both. Symmetric: both
 * sides have one, and what can be reached from the other side are its roots and what it was given.
 */
import { types } from 'node:util';
import type { IncomingCall } from '../connection/calls.ts';
import type { MethodTable } from '../connection/methods.ts';
import { Referring } from '../wire/sealed.ts';
import type { Access } from './access.ts';
import { answersLater } from './blocking.ts';
import { ProxyCaller } from './caller.ts';
import { asPath, Carrier } from './carrier.ts';
import { Exports } from './exports.ts';
import { Imports } from './imports.ts';
import { type Failure, type Interceptor, Keeper, type Outcome, type Root } from './keeper.ts';
import type { Asking } from './limits.ts';
import {
  ABORT,
  DO,
  ONLY,
  OPERATIONS,
  Operation,
  RELEASE,
  type TargetName,
  TELL,
} from './operation.ts';
import { newReference, type Place, placeOf } from './reference.ts';

/** What carries the calls: the caller's or the agent's end of a session. */
export interface ObjectPort extends Asking {
  readonly methods: MethodTable;
  /** Where the other side is, for printing. */
  readonly description: string;
  requestSync?(method: string, args: readonly unknown[]): unknown;
  notify(method: string, args: readonly unknown[]): void;
  /** Which set of standard streams what the other side carries out shall have; null for its own. */
  stdio?(): number | null;
}

/** How long numbers of settled calls may stay with the other side when no call follows, in milliseconds. */
const IDLE = 20;

export class ObjectSession {
  readonly #port: ObjectPort;
  readonly #exports = new Exports();
  readonly #imports = new Imports((id, count) => this.#giveBack(id, count));
  readonly #keeper = new Keeper(this.#exports);
  readonly #caller: ProxyCaller;
  readonly #carrier: Carrier;
  /** Ids and counts that wait to be given back. */
  #returned: number[] = [];
  /** How requests for what is open are carried out, by what the other side says about its standard streams. */
  runOpen: ((stdio: unknown, fn: () => Outcome | Promise<Outcome>) => unknown) | undefined;
  /** Whether errors of what is not open show where they were thrown. */
  showStacks = false;
  #floor = 0;
  #idle: NodeJS.Timeout | undefined;
  /** No number was given up since the timer was set. */
  #calm = false;
  #over = false;

  constructor(port: ObjectPort) {
    this.#port = port;
    this.#caller = new ProxyCaller({
      description: port.description,
      request: (...call) => port.request(...call),
      cancel: (id) => port.cancel(id),
      tell: (place, operation, params) => this.#tell(place, operation, params),
      hold: () => port.hold(),
      release: () => port.release(),
      seal: (value) => this.seal(value, 'listed'),
      open: (value) => this.open(value),
      drop: (id) => this.#drop(id),
      idle: (floor) => this.#numbersOver(floor),
      only: (next, open) => this.#notify(ONLY, [next, ...open]),
      stdio: () => port.stdio?.() ?? null,
    });
    this.#carrier = new Carrier({
      exports: this.#exports,
      imports: this.#imports,
      caller: this.#caller,
      aborted: (id, reason) => this.#notify(ABORT, [this.seal([id, reason], 'listed')]),
      find: (target, path) => this.#keeper.value(target, path),
    });
    this.#serve(port.methods);
  }

  /** Lets the other side start from here. */
  addRoot(name: string, root: Root): void {
    this.#keeper.roots.set(name, root);
  }

  /** Every request for what is not open goes through `interceptor`. */
  intercept(interceptor: Interceptor): void {
    this.#keeper.interceptor = interceptor;
  }

  /** Hears of each that fails. */
  onFailure(failed: (failure: Failure) => void): void {
    this.#keeper.failed = failed;
  }

  /** A proxy of one of the other side's roots. */
  root(name: string, path: readonly string[] = []): unknown {
    const label = name;
    return newReference({ caller: this.#caller, target: name, path, label, shape: 'root' });
  }

  /** The value at a path of one of the other side's roots. */
  get(root: string, path: readonly string[]): Promise<unknown> {
    const place = placeOf(this.root(root, path)) as Place;
    return this.#caller.perform(place, Operation.GET, []).promise;
  }

  /** Makes a value ready to be handed over; `access` is what the other side may do with its references. */
  seal(value: unknown, access: Access, stacks = true): unknown {
    return this.#carrier.seal(value, access, { stacks });
  }

  open(value: unknown): unknown {
    return this.#carrier.open(value, 'listed');
  }

  /** References held here, and objects handed over. */
  get counts(): { readonly held: number; readonly handedOver: number } {
    return { held: this.#imports.size, handedOver: this.#exports.size };
  }

  /** The same as a proxy's call, blocking. Throws what the far side threw. */
  performSync(place: Place, operation: number, params: readonly unknown[]): unknown {
    const { target, path } = place;
    const stdio = this.#port.stdio?.() ?? undefined;
    const what = [-1, 0, target, path, operation, params, ...(stdio === undefined ? [] : [stdio])];
    const message = this.#sealAtOnce(what, 'listed');
    try {
      return this.open(this.#port.requestSync?.(DO, [message]));
    } catch (error) {
      throw this.open(error);
    }
  }

  /** Calls without waiting for an answer, nor hearing of a failure. */
  #tell(place: Place, operation: number, params: readonly unknown[]): void {
    this.#notify(TELL, [this.seal([place.target, place.path, operation, params], 'listed')]);
  }

  /** The session is over: nobody holds anything any more. */
  end(): void {
    this.#over = true;
    clearTimeout(this.#idle);
    this.#exports.clear();
    this.#imports.clear();
  }

  #serve(methods: MethodTable): void {
    methods.addTellingCall(DO, ([message], call) => this.#do(message, call));
    methods.addTellingCall(TELL, ([message]) => this.#told(message));
    methods.addTellingCall(RELEASE, ([floor, ...pairs]) => this.#released(floor, pairs));
    methods.addTellingCall(ONLY, ([next, ...open]) => this.#only(next, open));
    methods.addCall(ABORT, ([message]) => {
      const [id, reason] = asList(this.open(message));
      this.#carrier.abort(id, reason);
    });
  }

  #do(message: unknown, call: IncomingCall | undefined): unknown {
    const [number, back, ...what] = asList(this.open(message));
    if (typeof number !== 'number' || typeof back !== 'number')
      throw new TypeError('the other side made a call without a number');
    const access = this.#keeper.accessOf(what[0] as TargetName);
    let outcome: Outcome | Promise<Outcome>;
    try {
      outcome = this.#performFor(call, what, access);
    } catch (error) {
      // Calls may have been made on its result already: they fail with it.
      if (number >= 0) this.#keeper.remember(number, Promise.reject(error), access, number - back);
      throw this.#sealError(error, access);
    }
    if (number >= 0) this.#keeper.remember(number, outcome, access, number - back);
    if (call === undefined) return this.#answerAtOnce(outcome);
    if (outcome instanceof Promise)
      return outcome.then(
        // What nobody waits for any more is not handed over.
        ({ value, access }) => (call.cancelled ? null : this.seal(value, access)),
        (error: unknown) => {
          throw this.#sealError(error, access);
        },
      );
    return this.seal(outcome.value, outcome.access);
  }

  /** What the work asks back reaches a caller that is blocked. */
  #performFor(
    call: IncomingCall | undefined,
    what: readonly unknown[],
    access: Access,
  ): Outcome | Promise<Outcome> {
    const [, , , , stdio] = what;
    const { runOpen } = this;
    const perform = (): Outcome | Promise<Outcome> => this.#perform(what, call);
    const work =
      stdio === undefined || runOpen === undefined || access !== 'open'
        ? perform
        : () => runOpen(stdio, perform) as ReturnType<typeof perform>;
    return call?.episode === undefined ? work() : call.episode.run(work);
  }

  /** This thread is blocked in a call: nothing that settles later can be answered with. */
  #answerAtOnce(outcome: Outcome | Promise<Outcome>): unknown {
    if (!(outcome instanceof Promise)) return this.#sealAtOnce(outcome.value, outcome.access);
    // Its own failure has nobody to be told to.
    outcome.catch(() => undefined);
    throw answersLater();
  }

  #sealAtOnce(value: unknown, access: Access): unknown {
    return this.#carrier.seal(value, access, { atOnce: true });
  }

  #perform(
    [target, path, operation, params]: readonly unknown[],
    call?: IncomingCall,
  ): Outcome | Promise<Outcome> {
    const perform = (): Outcome | Promise<Outcome> =>
      this.#keeper.perform(target as TargetName, asPath(path), operation, asList(params), call);
    const { methods } = this.#port;
    const outcome =
      methods.observer === undefined
        ? perform()
        : methods.observed(
            described(target, path, operation),
            asList(params),
            perform,
            (outcome) => (outcome as Outcome).value,
          );
    if (outcome instanceof Promise || !this.#isPending(outcome.value)) return outcome;
    const { access } = outcome;
    return Promise.resolve(outcome.value).then((value) => ({ value, access }));
  }

  /** A promise, what a call will give, or what is still to be asked of a third side. */
  #isPending(value: unknown): boolean {
    if (types.isPromise(value)) return true;
    const place = placeOf(value);
    if (place === undefined) return false;
    if (place.result !== undefined) return true;
    return place.caller !== this.#caller && place.path.length > 0 && place.shape !== 'root';
  }

  /** Those of objects that are open anyway show their stacks. */
  #sealError(error: unknown, access: Access): unknown {
    const sealed = this.seal(error, access, access === 'open' || this.showStacks);
    return sealed instanceof Referring ? sealed : error;
  }

  #told(message: unknown): unknown {
    const outcome = this.#perform(asList(this.open(message)));
    return outcome instanceof Promise ? outcome.then(() => null) : null;
  }

  #released(floor: unknown, pairs: readonly unknown[]): void {
    if (typeof floor === 'number') this.#keeper.forget(floor);
    for (let i = 0; i + 1 < pairs.length; i += 2)
      this.#exports.release(pairs[i] as number, pairs[i + 1] as number);
  }

  #only(next: unknown, open: readonly unknown[]): void {
    if (typeof next === 'number') this.#keeper.forgetBut(next, new Set(open));
  }

  #drop(id: number): void {
    if (this.#imports.has(id)) this.#imports.drop(id);
    else this.#giveBack(id, 1);
  }

  #giveBack(id: number, count: number): void {
    if (this.#over) return;
    if (this.#returned.length === 0) queueMicrotask(() => this.#sendReturned());
    this.#returned.push(id, count);
  }

  #numbersOver(floor: number): void {
    if (floor === this.#floor) return;
    this.#floor = floor;
    this.#calm = false;
    this.#idle ??= setTimeout(() => this.#whenCalm(), IDLE).unref();
  }

  /** To wind the timer up again for each call would cost more. */
  #whenCalm(): void {
    this.#idle = undefined;
    if (this.#calm) return this.#sendReturned();
    this.#calm = true;
    this.#idle = setTimeout(() => this.#whenCalm(), IDLE).unref();
  }

  #sendReturned(): void {
    const pairs = this.#returned;
    this.#returned = [];
    if (!this.#over) this.#notify(RELEASE, [this.#floor, ...pairs]);
  }

  #notify(method: string, args: readonly unknown[]): void {
    if (!this.#over) this.#port.notify(method, args);
  }
}

function asList(value: unknown): unknown[] {
  if (!Array.isArray(value))
    throw new TypeError('the other side sent something that is not a list');
  return value;
}

/** `root.add`, `object 3.close`; with what is done, where that is no call. */
function described(target: unknown, path: unknown, operation: unknown): string {
  const name =
    typeof target === 'string' ? target : Array.isArray(target) ? 'result' : `object ${target}`;
  const place = [name, ...asPath(path)].join('.');
  return operation === Operation.CALL ? place : `${OPERATIONS[operation as number]} ${place}`;
}

/** Carries out what the other side asks of our objects. */
import { ElsewhereError } from '../base/errors.ts';
import type { IncomingCall } from '../connection/calls.ts';
import { type Access, member, noMember, unmarked } from './access.ts';
import { type Carrying, carryOut, type Found } from './carry-out.ts';
import type { Cursor } from './cursor.ts';
import type { Exports } from './exports.ts';
import { OPERATIONS, Operation, type OperationName, type TargetName } from './operation.ts';

/** Something that the other side can name without having been given it. */
export interface Root {
  readonly access: Access;
  /** Whether it has a member of that name, where that is not a matter of properties. */
  has?(name: string): boolean;
  start(path: readonly string[]): Start | Promise<Start>;
}

/** The value that a path begins with, and how many of its names that took. */
export interface Start {
  readonly value: unknown;
  readonly used: number;
}

export interface Outcome {
  readonly value: unknown;
  readonly access: Access;
}

/** What the other side asks of something that is not open to it. */
export interface Request {
  readonly operation: OperationName;
  /** What it is asked of: what a root leads to, or something that was handed over. */
  readonly target: unknown;
  /** Names from there. */
  readonly path: readonly string[];
  /** Arguments of a call, the value that is set. */
  readonly args: readonly unknown[];
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

/** What a call has given, or will. */
interface Kept {
  readonly outcome: Outcome | Promise<Outcome>;
  /** To what it was made on. */
  readonly access: Access;
}

/** Of what is listed, as opposed to open: what was asked, and what it threw. */
export interface Failure extends Pick<Request, 'operation' | 'path'> {
  readonly error: unknown;
}

/** Whoever asked has no way to give it up. */
const LASTING: AbortSignal = new AbortController().signal;

type Settling = Pick<IncomingCall, 'signal'> | undefined;

/** Answers in place of what was asked, or has it done: `next` with the same arguments or others. */
export type Interceptor = (
  request: Request,
  next: (args?: readonly unknown[]) => unknown,
) => unknown;

export class Keeper {
  readonly roots: Map<string, Root> = new Map();
  interceptor: Interceptor | undefined;
  /** Hears of failures: their caller does too, unless it asked for no answer. */
  failed: ((failure: Failure) => void) | undefined;
  readonly #exports: Exports;
  /** What calls have given, for those that were made on it before it was there. */
  readonly #results = new Map<number, Kept>();
  /** Asked for before the call itself has arrived: its arguments were large. */
  readonly #expected = new Map<number, (outcome: Outcome | Promise<Outcome>) => void>();

  /** Numbers below were given back. */
  #floor = 0;
  readonly #carrying: Carrying = {
    keepCursor: (cursor) => this.#keepCursor(cursor),
    unheard: () => undefined,
  };

  constructor(exports: Exports) {
    this.#exports = exports;
  }

  /**
   * Keeps what call `number`, of something with that access, gives until the other side has given its number back, and
   * forgets the numbers below `floor`: those last, since a map that becomes empty makes itself anew.
   */
  remember(
    number: number,
    outcome: Outcome | Promise<Outcome>,
    access: Access,
    floor: number,
  ): void {
    if (outcome instanceof Promise) outcome.catch(() => undefined);
    this.#results.set(number, { outcome, access });
    this.forget(floor);
    if (this.#expected.size === 0) return;
    const expecting = this.#expected.get(number);
    this.#expected.delete(number);
    expecting?.(outcome);
  }

  /** Numbers below `floor` are not named any more. */
  forget(floor: number): void {
    this.#floor = Math.max(this.#floor, floor);
    for (const number of this.#results.keys()) {
      if (number >= floor) return;
      this.#results.delete(number);
    }
  }

  /** Of the numbers below `next` only these will be named. */
  forgetBut(next: number, open: ReadonlySet<unknown>): void {
    for (const number of this.#results.keys())
      if (number < next && !open.has(number)) this.#results.delete(number);
  }

  /** Of what is named so: 'listed' for what is not there. */
  accessOf(target: TargetName): Access {
    if (typeof target === 'string') return this.roots.get(target)?.access ?? 'listed';
    if (typeof target === 'number') return this.#exports.find(target)?.access ?? 'listed';
    return this.#results.get(target?.[0])?.access ?? 'listed';
  }

  perform(
    target: TargetName,
    path: readonly string[],
    operation: unknown,
    params: readonly unknown[],
    call?: Settling,
  ): Outcome | Promise<Outcome> {
    const root = typeof target === 'string' ? this.roots.get(target) : undefined;
    const [name] = path;
    if (operation === Operation.HAS && root?.has !== undefined && name !== undefined)
      if (path.length === 1) return { value: root.has(name), access: root.access };
    const found = this.#find(target, path);
    if (found instanceof Promise)
      return found.then((late) => this.#carryOut(late, operation, params, call));
    return this.#carryOut(found, operation, params, call);
  }

  /** The value of a path of ours that the other side names in a value. */
  value(target: TargetName, path: readonly string[]): unknown {
    const found = this.#find(target, path);
    if (found instanceof Promise)
      throw new TypeError('what is not there yet cannot be handed over: await it first');
    return unmarked(
      found.rest.reduce((owner, key) => member(owner, key, 'get', found.access), found.value),
    );
  }

  #find(target: TargetName, path: readonly string[]): Found | Promise<Found> {
    if (typeof target === 'string') return this.#root(target, path);
    if (typeof target === 'number') {
      const entry = this.#exports.get(target);
      return { value: entry.target, rest: path, access: entry.access };
    }
    const found = ({ value, access }: Outcome): Found => ({ value, rest: path, access });
    const outcome = this.#result(target);
    return outcome instanceof Promise ? outcome.then(found) : found(outcome);
  }

  #result(target: readonly [number]): Outcome | Promise<Outcome> {
    const number: unknown = Array.isArray(target) ? target[0] : undefined;
    const known = this.#results.get(number as number);
    if (known !== undefined) return known.outcome;
    if (typeof number !== 'number' || !(number >= this.#floor))
      throw new ElsewhereError('ERR_ELSEWHERE_BAD_REFERENCE', 'the other side named no object');
    return new Promise((resolve) => this.#expected.set(number, resolve));
  }

  #root(name: string, path: readonly string[]): Found | Promise<Found> {
    const root = this.roots.get(name);
    if (root === undefined) throw noMember(name);
    const { access } = root;
    const begun = root.start(path);
    if (begun instanceof Promise)
      return begun.then(({ value, used }) => ({ value, rest: path.slice(used), access }));
    return { value: begun.value, rest: path.slice(begun.used), access };
  }

  #carryOut(
    found: Found,
    operation: unknown,
    params: readonly unknown[],
    call: Settling,
  ): Outcome | Promise<Outcome> {
    const { access, rest: path } = found;
    const name = access === 'open' ? undefined : OPERATIONS[operation as number];
    if (name === undefined || (this.interceptor ?? this.failed) === undefined)
      return outcomeOf(carryOut(found, operation, params, this.#carrying), access);
    const failed = (error: unknown): void => this.failed?.({ operation: name, path, error });
    const carrying = { ...this.#carrying, unheard: failed };
    const next = (args = params): unknown => carryOut(found, operation, args, carrying);
    try {
      const value = this.#intercepted(found, name, params, call, next);
      if (this.failed !== undefined && value instanceof Promise) value.catch(failed);
      return outcomeOf(value, access);
    } catch (error) {
      failed(error);
      throw error;
    }
  }

  #intercepted(
    { value, rest: path }: Found,
    operation: OperationName,
    args: readonly unknown[],
    call: Settling,
    next: (args?: readonly unknown[]) => unknown,
  ): unknown {
    if (this.interceptor === undefined || operation === 'next') return next();
    const signal = call?.signal ?? LASTING;
    return this.interceptor({ operation, target: unmarked(value), path, args, signal }, next);
  }

  #keepCursor(cursor: Cursor): number {
    const entry = this.#exports.add(cursor, 'listed');
    entry.count = 1;
    entry.freed = () => void cursor.finish().catch(() => undefined);
    return entry.id;
  }
}

function outcomeOf(value: unknown, access: Access): Outcome | Promise<Outcome> {
  return value instanceof Promise
    ? value.then((late) => ({ value: late, access }))
    : { value, access };
}

/**
 * The three ways in which lib/fs.js calls its binding: returning, by promise, by request object. Which one it is shows
 * in one argument; everything else about an operation is the same.
 */
import { AsyncResource } from 'node:async_hooks';
import type { FsApi } from './api.ts';
import type { FsTarget } from './descriptors.ts';

/** One operation, ready to go. */
export interface Request {
  readonly target: FsTarget;
  readonly method: keyof FsApi;
  readonly args: readonly unknown[];
  /** From what travelled to what lib/fs.js expects. */
  result?(value: never): unknown;
  /** From what the far side threw to what Node would have thrown; `above` is undefined where no caller is waiting. */
  error(error: unknown, above: ((...args: never[]) => unknown) | undefined): unknown;
}

/** What the binding was given in the place of the request: undefined, kUsePromises, or an FSReqCallback. */
export type Mode = unknown;

interface RequestObject {
  oncomplete(error: unknown, value?: unknown): void;
}

/** A request that was answered without the far side. */
export class Settled {
  readonly value: unknown;
  constructor(value: unknown) {
    this.value = value;
  }
}

export class Driver {
  readonly #kUsePromises: symbol;

  constructor(kUsePromises: symbol) {
    this.#kUsePromises = kUsePromises;
  }

  /** Carries out `request`. `dispatch` is our frame, which stacks must not show. */
  run(request: Request | Settled, mode: Mode, dispatch: (...args: never[]) => unknown): unknown {
    if (mode === undefined)
      return request instanceof Settled ? request.value : sync(request, dispatch);
    if (mode === this.#kUsePromises)
      return request instanceof Settled ? Promise.resolve(request.value) : promised(request);
    return called(request, mode as RequestObject);
  }

  /** The same for an error that is known before anything was sent. */
  fail(
    error: (above: ((...args: never[]) => unknown) | undefined) => unknown,
    mode: Mode,
    dispatch: (...args: never[]) => unknown,
  ): unknown {
    if (mode === undefined) throw error(dispatch);
    if (mode === this.#kUsePromises) return Promise.reject(error(undefined));
    const complete = completion(mode as RequestObject);
    setImmediate(() => complete(error(undefined)));
    return undefined;
  }
}

function sync(request: Request, dispatch: (...args: never[]) => unknown): unknown {
  let value: unknown;
  try {
    value = (request.target.callSync as (method: string, ...args: readonly unknown[]) => unknown)(
      request.method,
      ...request.args,
    );
  } catch (error) {
    throw request.error(error, dispatch);
  }
  return convert(request, value);
}

function promised(request: Request): Promise<unknown> {
  return new Promise((resolve, reject) => {
    start(request, (error, value) => {
      if (error === null) resolve(value);
      else reject(error);
    });
  });
}

function called(request: Request | Settled, object: RequestObject): void {
  const complete = completion(object);
  if (request instanceof Settled) setImmediate(() => complete(null, request.value));
  else start(request, (error, value) => inTurn(() => complete(error, value)));
}

/** Keeps the process alive while the answer is out. */
function start(request: Request, done: (error: unknown, value?: unknown) => void): void {
  const { target } = request;
  target.hold();
  const finish = (error: unknown, value?: unknown): void => {
    target.release();
    if (error !== null) return done(request.error(error, undefined));
    let converted: unknown;
    try {
      converted = convert(request, value);
    } catch (failure) {
      return done(failure);
    }
    done(null, converted);
  };
  try {
    (target.send as (method: string, args: readonly unknown[], done: typeof finish) => unknown)(
      request.method,
      request.args,
      finish,
    );
  } catch (error) {
    setImmediate(finish, error);
  }
}

function convert(request: Request, value: unknown): unknown {
  return request.result === undefined ? value : request.result(value as never);
}

/** Calls the request back in the async context in which it was made; with one argument where there is no value. */
function completion(object: RequestObject): (error: unknown, value?: unknown) => void {
  const resource = new AsyncResource('FSREQCALLBACK');
  return (error, value) => {
    resource.runInAsyncScope(() => {
      if (value === undefined) object.oncomplete(error);
      else object.oncomplete(error, value);
    });
  };
}

const waiting: (() => void)[] = [];
let busy = false;

/**
 * Native requests come back one by one, with ticks and microtasks in between, which programs rely on. Answers come many
 * in a packet: the first is delivered at once, each further one in a turn of its own.
 */
function inTurn(deliver: () => void): void {
  if (busy) {
    waiting.push(deliver);
    return;
  }
  busy = true;
  setImmediate(nextTurn);
  deliver();
}

function nextTurn(): void {
  const deliver = waiting.shift();
  if (deliver === undefined) {
    busy = false;
    return;
  }
  setImmediate(nextTurn);
  deliver();
}

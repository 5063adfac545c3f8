/**
 * uvu's suites with the ways closed in which a broken test passes there: failing hooks and thrown values that are no
 * errors count as failures, every test has a time limit, and what was declared but did not run is known.
 */
import * as uvu from 'uvu';
import { describe, printable, toError } from './failure.ts';
import { print, report } from './reporter.ts';

const startTimer = setTimeout;
const stopTimer = clearTimeout;
const DEFAULT_LIMIT = 10_000;

export interface SuiteOptions {
  /** Milliseconds for each test and each hook; 10 s unless given. */
  readonly limit?: number;
  /** Milliseconds for the whole file, where the runner's own limit does not fit. */
  readonly fileLimit?: number;
}

export interface TestContext {
  /** Ends the test (or, in a `before` hook, every test of the suite) as skipped; the reason is printed. */
  readonly skip: (reason: string) => never;
}

export type TestBody = (context: TestContext) => unknown;

export interface Hook {
  (body: TestBody): void;
  each(body: TestBody): void;
}

export interface Suite {
  (name: string, body: TestBody): void;
  /** Runs this test alone when its file is started by hand; under the runner it is a failure. */
  only(name: string, body: TestBody): void;
  skip(name: string, reason: string): void;
  readonly before: Hook;
  readonly after: Hook;
  run(): void;
}

interface State {
  readonly title: string;
  readonly limit: number;
  readonly names: Set<string>;
  /** Why no test of this suite can run: its `before` hook has failed, or has skipped them all. */
  obstacle?: Error;
  /** Why the next test cannot run: what its `before.each` hook threw. */
  nextObstacle?: Error | undefined;
}

/** An error only in that it is thrown. */
class Skipped extends Error {}

const context: TestContext = {
  skip(reason) {
    if (reason === '') throw new TypeError('A test is skipped for a reason: say which');
    throw new Skipped(reason);
  },
};

export function suite(title: string, options: SuiteOptions = {}): Suite {
  const state: State = { title, limit: options.limit ?? DEFAULT_LIMIT, names: new Set() };
  if (options.fileLimit !== undefined) report({ event: 'file-limit', ms: options.fileLimit });
  const inner = uvu.suite(title);
  const declare = (name: string, body: TestBody): void => inner(name, testOf(state, name, body));
  return Object.assign(declare, {
    only: (name: string, body: TestBody): void => {
      inner.only(name, testOf(state, name, body));
      report({ event: 'only', test: fullName(state, name) });
    },
    skip: (name: string, reason: string): void => declare(name, () => context.skip(reason)),
    before: Object.assign((body: TestBody) => inner.before(beforeAll(state, body)), {
      each: (body: TestBody) => inner.before.each(beforeEach(state, body)),
    }),
    after: Object.assign((body: TestBody) => inner.after(afterwards(state, 'after hook', body)), {
      each: (body: TestBody) => inner.after.each(afterwards(state, 'after.each hook', body)),
    }),
    run: (): void => inner.run(),
  });
}

const fullName = (state: State, name: string): string => `${state.title} › ${name}`;

/** A test as uvu runs it; every way in which it can end is reported. */
function testOf(state: State, name: string, body: TestBody): () => Promise<void> {
  const test = fullName(state, name);
  if (state.names.has(name)) throw new Error(`Two tests are called "${test}"`);
  state.names.add(name);
  report({ event: 'declare', test });
  return async () => {
    report({ event: 'begin', test });
    const obstacle = state.obstacle ?? state.nextObstacle;
    state.nextObstacle = undefined;
    const outcome = obstacle ?? (await attempt(state, body));
    if (outcome === undefined) report({ event: 'pass', test });
    else if (outcome instanceof Skipped) report({ event: 'skip', test, reason: outcome.message });
    else throw fail(test, outcome);
  };
}

/** uvu would end the file, with success, at a `before` hook that throws: here the tests fail instead. */
function beforeAll(state: State, body: TestBody): () => Promise<void> {
  return async () => {
    const obstacle = await attempt(state, body);
    if (obstacle !== undefined) state.obstacle = obstacle;
  };
}

function beforeEach(state: State, body: TestBody): () => Promise<void> {
  return async () => {
    state.nextObstacle ??= await attempt(state, body);
  };
}

/** uvu would end the file, with success, at an `after.each` hook that throws, and does not look at what `after` throws. */
function afterwards(state: State, hook: string, body: TestBody): () => Promise<void> {
  return async () => {
    const thrown = await attempt(state, body);
    if (thrown !== undefined) print(`${fail(fullName(state, hook), thrown).message}\n`);
  };
}

/** What the body threw, undefined if it ended well. */
async function attempt(state: State, body: TestBody): Promise<Error | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<never>((_resolve, reject) => {
    timer = startTimer(
      () => reject(new Error(`still running after ${state.limit} ms`)),
      state.limit,
    );
  });
  try {
    await Promise.race([callBody(body), tooLong]);
    return undefined;
  } catch (thrown) {
    return toError(thrown);
  } finally {
    stopTimer(timer);
  }
}

/** So that what it throws at once is a rejection too. */
async function callBody(body: TestBody): Promise<void> {
  await body(context);
}

/** Reports the failure; what is returned is for uvu to print. */
function fail(test: string, error: Error): Error {
  const text = describe(error);
  report({ event: 'fail', test, error: text });
  return printable(text);
}

/**
 * An overlay: a far side whose files are read from there, and whose changes are all kept here, in a folder. To scopes it
 * is a connection like any other: it carries out the operations of the fs patch itself, over two layers, and hands
 * everything else on.
 */
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { badReply, type IsAnswer, isFailure } from '../../../src/base/answers.ts';
import { runLocally } from '../../../src/base/context.ts';
import { ElsewhereError } from '../../../src/base/errors.ts';
import type { ByteStream, Channel, RemoteContext, StreamHandler } from '../../../src/patch.ts';
import { FS_ANSWERS } from '../answers.ts';
import { fsRemote } from '../remote.ts';
import type { Step, Work } from '../work.ts';
import { type Change, changesOf, commitChanges } from './changes.ts';
import { NearLayer } from './layers.ts';
import { fileOperations } from './open-files.ts';
import { Places } from './places.ts';
import { type NearHandlers, readingOperations } from './reading.ts';
import { writingOperations } from './writing.ts';

export type { Change } from './changes.ts';

export interface OverlayOptions {
  /** Where changes are kept, also for the next time. Default: a new folder below the system's for temporary files. */
  readonly folder?: string;
}

type Operation = (...args: readonly unknown[]) => Work;
type Done = (error: unknown, value?: unknown) => void;

const PREFIX = 'fs.';

/** Use it where a connection is expected: `withRemote({ fs: overlay(conn) }, fn)`. */
export class Overlay {
  readonly channel: Channel;
  readonly folder: string;
  readonly #far: Channel;
  readonly #places: Places;

  constructor(far: Channel, { folder }: OverlayOptions = {}) {
    this.#far = far;
    this.folder = runLocally(() => folder ?? fs.mkdtempSync(join(tmpdir(), 'elsewhere-overlay-')));
    this.#places = new Places(runLocally(() => new NearLayer(this.folder)));
    this.channel = overlaidChannel(far, tableOf(this.#places));
  }

  /** What was added, changed and removed, in the order in which `commit` does it. Nothing is changed by asking. */
  diff(): Promise<Change[]> {
    return this.#run(changesOf(this.#places));
  }

  /**
   * Carries the changes out on the far side, and forgets them here. Rejects with the far side's error; the changes are
   * kept then, and may be committed again.
   */
  commit(): Promise<Change[]> {
    return this.#run(commitChanges(this.#places));
  }

  /** Forgets all changes. The far side never knew of them. */
  discard(): void {
    runLocally(() => this.#places.near.clear());
  }

  #run<T>(work: Work<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      runLater(this.#far, work, (error, value) =>
        error === null ? resolve(value as T) : reject(error),
      );
    });
  }
}

function tableOf(places: Places): ReadonlyMap<string, Operation> {
  // What is kept on this side is nobody's but ours.
  const policy = { restricted: false };
  const context = { onEnd: () => undefined, policy } as unknown as RemoteContext;
  // They answer before they return, so their results are no promises.
  const near = fsRemote(context, { alwaysNow: true }).calls as unknown as NearHandlers;
  const operations = {
    ...readingOperations(places, near),
    ...writingOperations(places, near),
    ...fileOperations(places, near),
  };
  return new Map(Object.entries(operations) as unknown as [string, Operation][]);
}

function overlaidChannel(far: Channel, table: ReadonlyMap<string, Operation>): Channel {
  const workOf = (method: string, args: readonly unknown[]): Work | undefined => {
    if (!method.startsWith(PREFIX)) return undefined;
    const operation = table.get(method.slice(PREFIX.length));
    if (operation === undefined) throw unsupported(method);
    return operation(...args);
  };
  return {
    get id() {
      return far.id;
    },
    get state() {
      return far.state;
    },
    get peer() {
      return far.peer;
    },
    stepwise: true,
    request(method, args, done) {
      const work = workOf(method, args);
      if (work === undefined) return far.request(method, args, done);
      runLater(far, work, done);
      return NO_CALL;
    },
    cancel: (id) => (id === NO_CALL ? undefined : far.cancel(id)),
    requestSync(method, args) {
      const work = workOf(method, args);
      return work === undefined ? far.requestSync(method, args) : runNow(far, work);
    },
    notify(method, args) {
      const work = workOf(method, args);
      if (work === undefined) far.notify(method, args);
      else runLater(far, work, () => undefined);
    },
    open(method: string, args: readonly unknown[], handler: StreamHandler): ByteStream {
      if (method.startsWith(PREFIX)) throw unsupported(method);
      return far.open(method, args, handler);
    },
    fail: (error) => far.fail(error),
    hold: () => far.hold(),
    release: () => far.release(),
    onClosed: (listener) => far.onClosed(listener),
  };
}

/** Stands for a call that cannot be cancelled. */
const NO_CALL = -1;

function unsupported(method: string): ElsewhereError {
  const name = method.slice(PREFIX.length);
  return new ElsewhereError(
    'ERR_ELSEWHERE_UNSUPPORTED',
    `an overlay does not do ${name}: its two layers would have to be watched or copied as one; use the connection itself, or read and write the files`,
  );
}

/** The far layer is believed no more than a scope's far side is: its names become paths of this machine. */
function checked(far: Channel, { name, args }: Step, failed: boolean, told: unknown): unknown {
  const isAnswer = FS_ANSWERS[name] as IsAnswer;
  if (failed ? isFailure(told) : isAnswer(told, args as never)) return told;
  const error = badReply(PREFIX + name, told);
  far.fail(error);
  throw error;
}

function runNow(far: Channel, work: Work): unknown {
  let result = runLocally(() => work.next());
  while (result.done !== true) {
    const step = result.value;
    let answer: unknown;
    try {
      answer = far.requestSync(PREFIX + step.name, step.args);
    } catch (error) {
      result = runLocally(() => work.throw(checked(far, step, true, error)));
      continue;
    }
    result = runLocally(() => work.next(checked(far, step, false, answer)));
  }
  return result.value;
}

function runLater(far: Channel, work: Work, done: Done): void {
  const go = (move: () => IteratorResult<Step, unknown>, atOnce: boolean): void => {
    let result: IteratorResult<Step, unknown>;
    try {
      result = runLocally(move);
    } catch (error) {
      return finish(() => done(error), atOnce);
    }
    if (result.done === true) return finish(() => done(null, result.value), atOnce);
    const step = result.value;
    far.request(PREFIX + step.name, step.args, (error, answer) => {
      go(
        () =>
          error === null
            ? work.next(checked(far, step, false, answer))
            : work.throw(checked(far, step, true, error)),
        false,
      );
    });
  };
  go(() => work.next(), true);
}

/** Never inside the call. */
function finish(tell: () => void, atOnce: boolean): void {
  if (atOnce) setImmediate(tell);
  else tell();
}

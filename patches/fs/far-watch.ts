/** A watcher whose work is done on the far side: what the program's own handle becomes when it watches a far path. */
import { AsyncResource } from 'node:async_hooks';
import { isElsewhereError } from '../../src/base/errors.ts';
import type { ByteStream, StreamHandler } from '../../src/patch.ts';
import type { FsTarget } from './api.ts';
import { deliverInTurn } from './completion.ts';

interface FarWatchOptions {
  readonly target: FsTarget;
  /** Whether it keeps the process alive. */
  readonly persistent: boolean;
  readonly open: (handler: StreamHandler) => ByteStream;
  readonly signal: (value: unknown) => void;
  /** The connection is over, on purpose or not; not called after `close`. */
  readonly over: (onPurpose: boolean) => void;
}

/** Events come in the async context of its making, one in each turn, and none after `close`. */
export class FarWatch {
  readonly #target: FsTarget;
  readonly #resource = new AsyncResource('FSEVENTWRAP');
  readonly #stream: ByteStream;
  #holding = false;
  #open = true;

  constructor({ target, persistent, open, signal, over }: FarWatchOptions) {
    this.#target = target;
    this.#stream = open({
      data: () => undefined,
      end: () => undefined,
      signal: (value) => this.#deliver(() => signal(value)),
      closed: (error) => {
        const onPurpose = isElsewhereError(error) && error.code === 'ERR_ELSEWHERE_CLOSED';
        this.#deliver(() => over(onPurpose));
        this.unref();
      },
    });
    if (persistent) this.ref();
  }

  #deliver(tell: () => void): void {
    deliverInTurn(() => {
      if (this.#open) this.#resource.runInAsyncScope(tell);
    });
  }

  ref(): void {
    if (this.#holding || !this.#open) return;
    this.#holding = true;
    this.#target.hold();
  }

  unref(): void {
    if (!this.#holding) return;
    this.#holding = false;
    this.#target.release();
  }

  hasRef(): boolean {
    return this.#holding;
  }

  close(): void {
    if (!this.#open) return;
    this.unref();
    this.#open = false;
    this.#stream.reset('ECANCELED');
  }
}

/** Puts the watcher's own life in the place of the native handle's. */
export function takeOver(handle: object, watch: FarWatch, close: () => void): void {
  const methods = {
    ref: () => watch.ref(),
    unref: () => watch.unref(),
    hasRef: () => watch.hasRef(),
    close,
  };
  for (const [name, value] of Object.entries(methods))
    Object.defineProperty(handle, name, { value, configurable: true, writable: true });
}

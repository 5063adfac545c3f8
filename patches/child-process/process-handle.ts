/** The near end of a far child: stands in for the native process handle that a `ChildProcess` of Node's holds. */
import { AsyncResource } from 'node:async_hooks';
import { enqueue } from '../../src/base/event-queue.ts';
import type { ChildTarget, Exit } from './api.ts';
import type { NativeProcess } from './binding.ts';
import { errnoOf, signalName } from './errno.ts';
import type { Forwarding } from './forward.ts';

/** What is inherited may still be on its way when a child has ended; a grandchild may hold it for ever. Milliseconds. */
const LAST_OUTPUT = 1000;
const startTimer = setTimeout;
const stopTimer = clearTimeout;

export interface FarChild {
  readonly target: ChildTarget;
  readonly id: number;
  readonly pid: number;
  /** What flows between its inherited stdio and this side's streams. */
  readonly forwarded: readonly Forwarding[];
}

/** Makes `handle`, which nothing was started with, the handle of that child. */
export function lead(handle: NativeProcess, child: FarChild): void {
  handle.pid = child.pid;
  const life = new Life(handle, child);
  const nativeClose = handle.close;
  const methods = {
    kill: (signal: number): number => life.kill(signal),
    ref: (): void => life.reference(true),
    unref: (): void => life.reference(false),
    hasRef: (): boolean => life.referenced,
    close: (done?: () => void): void => {
      life.close();
      nativeClose.call(handle, done);
    },
  };
  for (const [name, value] of Object.entries(methods))
    Object.defineProperty(handle, name, { value, configurable: true, writable: true });
}

class Life {
  readonly #handle: NativeProcess;
  readonly #child: FarChild;
  readonly #resource: AsyncResource = new AsyncResource('PROCESSWRAP', {
    requireManualDestroy: true,
  });
  #over = false;
  #referenced = true;
  #holding = false;

  constructor(handle: NativeProcess, child: FarChild) {
    this.#handle = handle;
    this.#child = child;
    const { target, id } = child;
    target.send('exit', [id], (error, exit) => {
      // A lost connection takes the child with it.
      this.#ended(error === null && exit !== undefined ? exit : { code: 0, signal: 'SIGHUP' });
    });
    this.#settleHold();
  }

  get referenced(): boolean {
    return this.#referenced && !this.#over;
  }

  reference(on: boolean): void {
    this.#referenced = on;
    this.#settleHold();
  }

  kill(signal: number): number {
    const { target, id } = this.#child;
    if (this.#over || !target.alive) return errnoOf('ESRCH');
    const code = target.callSync('kill', id, signalName(signal));
    return code === '' ? 0 : errnoOf(code);
  }

  close(): void {
    this.#over = true;
    this.#settleHold();
    for (const forwarding of this.#child.forwarded) forwarding.childEnded();
  }

  #ended(exit: Exit): void {
    const { forwarded } = this.#child;
    let waiting = forwarded.length;
    const tell = (): void => {
      stopTimer(timer);
      waiting = -1;
      enqueue(() => this.#tell(exit));
    };
    const timer = waiting === 0 ? undefined : startTimer(tell, LAST_OUTPUT);
    if (waiting === 0) return tell();
    for (const forwarding of forwarded)
      forwarding.onceDrained(() => {
        if (--waiting === 0) tell();
      });
  }

  #tell(exit: Exit): void {
    if (this.#over) return;
    this.#resource.runInAsyncScope(() => this.#handle.onexit?.(exit.code, exit.signal));
  }

  #settleHold(): void {
    const wanted = this.referenced;
    if (wanted === this.#holding) return;
    this.#holding = wanted;
    if (wanted) this.#child.target.hold();
    else this.#child.target.release();
  }
}

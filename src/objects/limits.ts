/** How long a call may take, and who may stop it. Both sides keep to it: what is given up here is told to stop there. */
import { ElsewhereError } from '../base/errors.ts';
import type { Channel, Done } from '../connection/channel.ts';

export interface Limits {
  /** Its abort rejects the call with its reason, and aborts the signal that the work on the far side sees. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds until the call rejects with ERR_ELSEWHERE_TIMEOUT. Default: none. */
  readonly timeout?: number | undefined;
  /** Bytes that byte arrays of the answer may have together; a far side that sends more ends the connection. Default: any. */
  readonly most?: number | undefined;
}

/** What a call is made with. */
export interface Asking extends Pick<Channel, 'request' | 'cancel'> {
  hold(): void;
  release(): void;
}

/** How a call ends: by one of the first two. */
export interface Ends {
  readonly done: Done;
  /** Before the answer, which the far side still gives: to `late`. */
  gaveUp(reason: unknown): void;
  late(value: unknown): void;
}

/** Makes a call. Throws what `request` throws, and the reason of a signal that was aborted before. */
export function ask(
  port: Asking,
  limits: Limits | undefined,
  method: string,
  args: readonly unknown[],
  { done, gaveUp, late }: Ends,
): void {
  if (limits === undefined) return askWithout(port, method, args, done);
  const { signal, timeout, most } = limits;
  signal?.throwIfAborted();
  let over = false;
  const began = performance.now();
  const end = (): void => {
    over = true;
    clearTimeout(timer);
    signal?.removeEventListener('abort', aborted);
    port.release();
  };
  const giveUp = (reason: unknown): void => {
    end();
    port.cancel(id);
    gaveUp(reason);
  };
  const aborted = (): void => giveUp(signal?.reason);
  const answered: Done = (error, value) => {
    if (!over) {
      end();
      if (error !== null && passed(began, timeout)) gaveUp(tooLate(timeout));
      else done(error, value);
    } else if (error === null) late(value);
  };
  const id = port.request(method, args, answered, timeout, most);
  port.hold();
  const timer = timeout && setTimeout(() => giveUp(tooLate(timeout)), timeout);
  signal?.addEventListener('abort', aborted);
}

/** Most calls have no limits. */
function askWithout(port: Asking, method: string, args: readonly unknown[], done: Done): void {
  port.request(method, args, (error, value) => {
    port.release();
    done(error, value);
  });
  port.hold();
}

/** Throws TypeError unless they are limits. */
export function checkedLimits(limits: Limits): Limits {
  const { signal, timeout } = limits;
  if (signal !== undefined && !(signal instanceof AbortSignal))
    throw new TypeError('signal must be an AbortSignal');
  if (timeout !== undefined && !(Number.isFinite(timeout) && timeout > 0))
    throw new TypeError('timeout must be a number of milliseconds above 0');
  return limits;
}

/**
 * What fails after the deadline failed by it: the far side, which keeps it too, may be the first to say so. Timers count
 * whole milliseconds.
 */
function passed(began: number, timeout: number | undefined): timeout is number {
  return timeout !== undefined && performance.now() - began >= timeout - 1;
}

function tooLate(timeout: number): ElsewhereError {
  return new ElsewhereError(
    'ERR_ELSEWHERE_TIMEOUT',
    `no answer within ${timeout} ms: the far side was told to stop`,
    { maybeExecuted: true },
  );
}

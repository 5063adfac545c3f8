/** How a request of Node's own dns module is answered from the far side. */
import { AsyncResource } from 'node:async_hooks';
import { knownError } from '../../src/base/system-errors.ts';
import type { Target } from '../../src/patch.ts';
import type { DnsCalls, LookupFailure } from './api.ts';
import type { Request } from './binding.ts';

export type DnsTarget = Target<DnsCalls>;

/** The number that Node makes its error from. */
export function errnoOf({ code, errno }: LookupFailure): number {
  return errno <= -3000 ? errno : (knownError(code)?.errno ?? errno);
}

/** Runs `ask` with a `done` that completes the request in its own async context and in a tick of its own. */
export function pending<T>(
  target: DnsTarget,
  request: Request,
  ask: (done: (error: unknown, value?: T) => void) => void,
  settle: (value: T) => void,
): void {
  const resource = new AsyncResource('ELSEWHEREDNS');
  target.hold();
  ask((error, value) => {
    target.release();
    process.nextTick(() =>
      resource.runInAsyncScope(() => (value === undefined ? fail(request, error) : settle(value))),
    );
  });
}

/** The question did not reach the far side, or it could not answer at all. */
function fail(request: Request, error: unknown): void {
  const { code } = (error ?? {}) as { code?: unknown };
  const lost = code === 'ERR_ELSEWHERE_CONNECTION_LOST' || code === 'ERR_ELSEWHERE_CLOSED';
  const tell = request.callback ?? request.reject;
  if (lost || tell === undefined) request.oncomplete(knownError('ECONNRESET')?.errno ?? -104);
  else tell.call(request, error as Error);
}

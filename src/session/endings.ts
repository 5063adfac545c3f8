/** Why a session of the dialling side is over, or an attempt to link it was in vain. */
import { ElsewhereError } from '../base/errors.ts';
import type { LaneName } from './handshake.ts';

export function overtaken(lane: LaneName): ElsewhereError {
  return new ElsewhereError('ERR_ELSEWHERE_CONNECT', `another ${lane} link was faster`);
}

export function closedHere(): ElsewhereError {
  return new ElsewhereError('ERR_ELSEWHERE_CLOSED', 'the connection was closed by this side');
}

export function closedNow(method: string, reason: Error): ElsewhereError {
  return new ElsewhereError('ERR_ELSEWHERE_CLOSED', `${method} was not sent: ${reason.message}`, {
    cause: reason,
    maybeExecuted: false,
  });
}

/** Why a session is over, or an attempt to link it was in vain. */
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

/** So many sessions that are over are remembered: clients that come back to one come soon, if ever. */
const REMEMBERED = 1000;

/** What an agent tells those who come back to a session that is over. */
export class Endings {
  readonly #reasons = new Map<string, string>();

  add(session: string, why: string): void {
    this.#reasons.set(session, why);
    if (this.#reasons.size <= REMEMBERED) return;
    for (const oldest of this.#reasons.keys()) return void this.#reasons.delete(oldest);
  }

  of(session: string): string {
    // Of a fault it is told from the agent's side of the link.
    const why = this.#reasons.get(session)?.replace(/^the peer/, 'its client');
    return why ?? 'it ended long ago, or never was';
  }
}

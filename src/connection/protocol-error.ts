/** What a peer does wrong closes its link, and no other link would make it better. */
import { ElsewhereError } from '../base/errors.ts';

export function protocolError(what: string): ElsewhereError {
  return new ElsewhereError(
    'ERR_ELSEWHERE_PROTOCOL',
    `the peer broke the protocol: it sent ${what}`,
  );
}

export function isProtocolError(error: Error): boolean {
  return (error as { code?: unknown }).code === 'ERR_ELSEWHERE_PROTOCOL';
}

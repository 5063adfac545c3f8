/**
 * The one error class of the toolkit, with stable codes. Errors of substituted Node modules are never of this class:
 * they arrive as Node makes them, with one of these as `cause` where our policy or a lost connection is behind them.
 */

/** Every code that the toolkit raises. Codes are API: they never change their meaning. */
export type ElsewhereErrorCode =
  | 'ERR_ELSEWHERE_CONNECTION_LOST'
  | 'ERR_ELSEWHERE_CLOSED'
  | 'ERR_ELSEWHERE_CONNECT'
  | 'ERR_ELSEWHERE_AUTH'
  | 'ERR_ELSEWHERE_VERSION'
  | 'ERR_ELSEWHERE_TIMEOUT'
  | 'ERR_ELSEWHERE_DENIED'
  | 'ERR_ELSEWHERE_UNSUPPORTED'
  | 'ERR_ELSEWHERE_SYNC_DEADLOCK'
  | 'ERR_ELSEWHERE_NO_METHOD'
  | 'ERR_ELSEWHERE_BAD_REFERENCE'
  | 'ERR_ELSEWHERE_LIMIT'
  | 'ERR_ELSEWHERE_PROTOCOL'
  | 'ERR_ELSEWHERE_BAD_REPLY'
  | 'ERR_ELSEWHERE_ARGUMENT';

export interface ElsewhereErrorOptions {
  cause?: unknown;
  /** For a lost connection: whether the far side may have carried out the call. */
  maybeExecuted?: boolean;
}

/** An error of the toolkit itself: the message says what failed, on which side, and what to do. */
export class ElsewhereError extends Error {
  readonly code: ElsewhereErrorCode;
  declare readonly maybeExecuted?: boolean;

  constructor(code: ElsewhereErrorCode, message: string, options: ElsewhereErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.name = 'ElsewhereError';
    this.code = code;
    if (options.maybeExecuted !== undefined) this.maybeExecuted = options.maybeExecuted;
  }
}

/** True for an error of this class made by any copy of the package, in any realm. */
export function isElsewhereError(value: unknown): value is ElsewhereError {
  return value instanceof Error && value.name === 'ElsewhereError' && 'code' in value;
}

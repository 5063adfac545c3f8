/** Exit codes and the two ways in which a command ends early. */
import { ElsewhereError } from '../base/errors.ts';

/** As in sysexits.h where it has one. */
export const ExitCode = {
  OK: 0,
  FAILED: 1,
  USAGE: 2,
  UNAVAILABLE: 69,
  DENIED: 77,
  NOT_FOUND: 127,
} as const;

/** The command line was wrong: the text goes to stderr, the exit code is 2. */
export class UsageError extends Error {}

/** The exit code that an error deserves. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return ExitCode.USAGE;
  if (!(error instanceof ElsewhereError)) return ExitCode.FAILED;
  switch (error.code) {
    case 'ERR_ELSEWHERE_AUTH':
    case 'ERR_ELSEWHERE_DENIED':
      return ExitCode.DENIED;
    case 'ERR_ELSEWHERE_ARGUMENT':
      return ExitCode.USAGE;
    case 'ERR_ELSEWHERE_CONNECT':
    case 'ERR_ELSEWHERE_CONNECTION_LOST':
    case 'ERR_ELSEWHERE_TIMEOUT':
    case 'ERR_ELSEWHERE_VERSION':
    case 'ERR_ELSEWHERE_PROTOCOL':
      return ExitCode.UNAVAILABLE;
    default:
      return ExitCode.FAILED;
  }
}

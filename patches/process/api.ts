/** What travels for `process`. */
import type { LocalContext, Target } from '../../src/patch.ts';

export type Credential = 'User' | 'Group';

export interface ProcessApi {
  /** The directory that `chdir` would lead to; throws Node's error where it would fail. */
  directory(from: string, to: string): string;
  /** Its environment, without what belongs to the agent itself. */
  environment(): Record<string, string>;
  /** What the function of that name returns there: `getuid` and its kind. */
  fact(name: string): unknown;
  /** Carries out `setuid` and its kind; false where that would change the agent for others. */
  change(name: string, given: unknown[]): boolean;
  /** Whether there is a user or group of that name. */
  known(kind: Credential, name: string): boolean;
  /** Its clocks: `hrtime.bigint()` in nanoseconds, `uptime()` in seconds. */
  clocks(): { hrtime: bigint; uptime: number };
  /** Signals a process of the far side. */
  kill(pid: number, signal: string | number | undefined): void;
}

export type ProcessContext = LocalContext<ProcessApi>;
export type ProcessTarget = Target<ProcessApi>;

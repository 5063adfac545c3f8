/** What a command of `elsewhere` is. */
import type { AnyPatch } from '../patch.ts';

export interface CommandContext {
  /** What an agent serves. Handed down by the composition root. */
  readonly patches: readonly AnyPatch[];
  /** Absolute path of the preload that `run` gives to the program. */
  readonly register: string;
}

export interface Command {
  readonly name: string;
  /** One line of the overview. */
  readonly summary: string;
  /** The whole text of `--help`. */
  readonly help: string;
  /** Resolves with the exit code. */
  run(argv: readonly string[], context: CommandContext): Promise<number>;
}

/** What a command of `elsewhere` is. */

export interface CommandContext {
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

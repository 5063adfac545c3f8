/** What a module of this folder is: it sets its stage, and hands contests to the run. */
import type { Contest, Result } from './rounds.ts';
import type { Stage } from './stage.ts';

export interface Run {
  readonly rounds: number;
  readonly stage: Stage;
  /** A number of operations, made smaller by --scale. */
  scaled(operations: number): number;
  compete(contest: Contest): Promise<void>;
  /** For results that were measured in another way. */
  report(results: readonly Result[]): void;
  /** Something that the reader of the figures should know. */
  note(text: string): void;
}

export interface Benchmark {
  readonly name: string;
  readonly title: string;
  run(run: Run): Promise<void>;
}

/**
 * The frame of all comparisons. Contestants take turns, round by round, in one run: a noisy machine then disturbs all of
 * them alike, and the ratios within a round mean something where the times alone do not.
 */
import { cpuTime } from './cpu.ts';

export interface Contestant {
  readonly name: string;
  /** Operations (or MB) of one run. */
  readonly ops: number;
  run(): unknown;
  /** Processes besides this one whose CPU time, with that of their children, belongs to it. */
  readonly pids?: readonly number[];
}

/** How a time per operation is told; MB/s: an operation is a MB. */
export type Unit = 'ns' | 'us' | 'ms' | 'MB/s' | 'per s';

export interface Contest {
  readonly name: string;
  readonly unit: Unit;
  /** The first is the base of the ratios. */
  readonly contestants: readonly Contestant[];
  readonly rounds?: number;
}

/** Of one contestant in one round, per operation. */
export interface Sample {
  readonly ns: number;
  readonly cpu: number | undefined;
}

/** What one contestant came to. */
export interface Result {
  readonly contest: string;
  readonly name: string;
  readonly unit: Unit;
  readonly median: number;
  readonly best: number;
  /** How many times as fast as the base: median of the ratios of each round. */
  readonly ratio: number;
  /** Nanoseconds of CPU per operation in all processes involved: the least of all rounds. */
  readonly cpu: number | undefined;
  readonly rounds: number;
}

/** Runs all contestants `rounds` times, after one round that does not count. */
export async function compete(contest: Contest, rounds: number): Promise<Result[]> {
  const { contestants } = contest;
  const samples = new Map(contestants.map(({ name }) => [name, [] as Sample[]]));
  const count = contest.rounds ?? rounds;
  for (let round = -1; round < count; round++) {
    process.stderr.write(`bench: ${contest.name}: ${round < 0 ? 'warming up' : round + 1}\n`);
    for (let i = 0; i < contestants.length; i++) {
      // Nobody always follows the same one.
      const contestant = contestants[(i + round + 1) % contestants.length] as Contestant;
      const sample = await measure(contestant);
      if (round >= 0) samples.get(contestant.name)?.push(sample);
    }
  }
  return summary(contest.name, contest.unit, samples);
}

async function measure({ run, ops, pids = [] }: Contestant): Promise<Sample> {
  const all = [process.pid, ...pids];
  const cpuBefore = cpuTime(all);
  const start = process.hrtime.bigint();
  await run();
  const ns = Number(process.hrtime.bigint() - start);
  const cpuAfter = cpuTime(all);
  const cpu =
    cpuBefore === undefined || cpuAfter === undefined ? undefined : (cpuAfter - cpuBefore) / ops;
  return { ns: ns / ops, cpu };
}

/** The first of `samples` is the base. */
export function summary(
  contest: string,
  unit: Unit,
  samples: ReadonlyMap<string, readonly Sample[]>,
): Result[] {
  const [base = []] = samples.values();
  return [...samples].map(([name, own]) => {
    const times = own.map(({ ns }) => ns);
    const cpus = own.map(({ cpu }) => cpu).filter((cpu) => cpu !== undefined);
    return {
      contest,
      name,
      unit,
      median: inUnit(median(times), unit),
      best: inUnit(Math.min(...times), unit),
      ratio: median(times.map((ns, i) => (base[i] as Sample).ns / ns)),
      cpu: cpus.length === 0 ? undefined : Math.min(...cpus),
      rounds: own.length,
    };
  });
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

function inUnit(ns: number, unit: Unit): number {
  switch (unit) {
    case 'ns':
      return ns;
    case 'us':
      return ns / 1e3;
    case 'ms':
      return ns / 1e6;
    default:
      return 1e9 / ns;
  }
}

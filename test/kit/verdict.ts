/** Judges a test file by what it reported and by how its process ended: pure. */
import type { ReportLine } from './report.ts';

export interface Ending {
  readonly code: number | null;
  readonly signal: string | null;
  /** Set when the runner had to kill it: the limit in milliseconds. */
  readonly killedAfter?: number;
}

export interface Failure {
  readonly test: string;
  readonly error: string;
}

export interface Verdict {
  readonly passed: number;
  readonly failures: readonly Failure[];
  readonly skipped: readonly { readonly test: string; readonly reason: string }[];
  /** What is wrong with the file as a whole; each counts as a failure. */
  readonly problems: readonly string[];
}

export function judge(lines: readonly ReportLine[], ending: Ending): Verdict {
  const failures = lines.filter((line) => line.event === 'fail');
  return {
    passed: lines.filter((line) => line.event === 'pass').length,
    failures: failures.map(({ test, error }) => ({ test, error })),
    skipped: lines
      .filter((line) => line.event === 'skip')
      .map(({ test, reason }) => ({ test, reason })),
    problems: [...endingProblems(lines, ending, failures.length > 0), ...coverageProblems(lines)],
  };
}

/** An exit code of 1 is no news where a test has failed. */
function endingProblems(
  lines: readonly ReportLine[],
  { code, signal, killedAfter }: Ending,
  failed: boolean,
): string[] {
  if (killedAfter !== undefined)
    return [`killed after ${killedAfter / 1000} s: ${whatKeptIt(lines)}`];
  if (signal !== null) return [`ended by ${signal}`];
  if (code === 0 || (code === 1 && failed)) return [];
  return [`ended with exit code ${code}`];
}

function whatKeptIt(lines: readonly ReportLine[]): string {
  const [running] = unfinished(lines, 'begin');
  if (running !== undefined) return `"${running}" did not end`;
  if (unfinished(lines, 'declare').length > 0)
    return 'no test was running, but some had still to run';
  return 'all tests had ended, so something they left open kept the process alive';
}

function coverageProblems(lines: readonly ReportLine[]): string[] {
  const only = testsWith(lines, ['only']);
  if (only.length > 0) return [`.only is left in: ${quoted(only)}`];
  if (!lines.some((line) => line.event === 'declare')) return ['it declares no test'];
  const forgotten = unfinished(lines, 'declare');
  return forgotten.length === 0 ? [] : [`declared but not run to the end: ${quoted(forgotten)}`];
}

/** The tests with such a line for which no result came. */
function unfinished(lines: readonly ReportLine[], event: 'declare' | 'begin'): string[] {
  const ended = new Set(testsWith(lines, ['pass', 'fail', 'skip']));
  return testsWith(lines, [event]).filter((test) => !ended.has(test));
}

function testsWith(lines: readonly ReportLine[], events: readonly ReportLine['event'][]): string[] {
  return lines.flatMap((line) =>
    line.event !== 'file-limit' && events.includes(line.event) ? [line.test] : [],
  );
}

function quoted(names: readonly string[]): string {
  const shown = names.slice(0, 5).map((name) => `"${name}"`);
  const rest = names.length - shown.length;
  return rest === 0 ? shown.join(', ') : `${shown.join(', ')} and ${rest} more`;
}

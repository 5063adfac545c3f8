/**
 * The test process's end of the report. Everything it needs is kept from before a test can replace it: tests here
 * substitute file system functions, timers and standard streams, and may forget to undo it.
 */
import fs from 'node:fs';
import { REPORT_VARIABLE, type ReportLine } from './report.ts';

const write = fs.writeSync;
const { stringify } = JSON;
const descriptor = Number(process.env[REPORT_VARIABLE] ?? Number.NaN);
// Not for the children of a test: their descriptor of that number is something else.
delete process.env[REPORT_VARIABLE];

const unfinished = new Set<string>();
let declared = 0;
let failures = 0;

/** Tells the runner, and keeps count for the exit code of a file started by hand. */
export function report(line: ReportLine): void {
  if (!Number.isNaN(descriptor)) write(descriptor, `${stringify(line)}\n`);
  if (line.event === 'declare') {
    declared += 1;
    unfinished.add(line.test);
  } else if (line.event === 'fail') {
    failures += 1;
    unfinished.delete(line.test);
  } else if (line.event === 'pass' || line.event === 'skip') {
    unfinished.delete(line.test);
  }
}

/** For what uvu has no place for: failed hooks, reasons of skipped tests. */
export function print(text: string): void {
  write(2, `${text}\n`);
}

process.on('exit', () => {
  if (declared === 0) print('no test is declared');
  if (unfinished.size > 0) print(`declared but not run: ${[...unfinished].join(', ')}`);
  if (declared === 0 || unfinished.size > 0 || failures > 0) process.exitCode ||= 1;
});

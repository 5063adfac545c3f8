/**
 * The test runner: `node build/test/kit/run.js [part of a file's path…]`. A process for each file, so that a leaked
 * substitution cannot reach the next one. Its last line is `N passed, N failed`, with `, N skipped` if some were.
 * ELSEWHERE_TEST_NODE: the Node binary that runs the files; ELSEWHERE_TEST_JOBS: how many at a time (2).
 * ELSEWHERE_TEST_AGAIN: so many files that failed beside others may run once more, alone; the first failure is shown.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type FileResult, killAll, runFile } from './run-file.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const ending = import.meta.url.endsWith('.ts') ? '.test.ts' : '.test.js';

function testFiles(filters: readonly string[]): string[] {
  const named = filters.filter(
    (filter) => existsSync(filter) && filter.endsWith(ending.slice('.test'.length)),
  );
  if (named.length > 0) return named.map((file) => resolve(file));
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith(ending),
  );
  const wanted = files.filter(
    (file) => filters.length === 0 || filters.some((filter) => file.includes(filter)),
  );
  return wanted.sort().map((file) => join(root, file));
}

const node = process.env['ELSEWHERE_TEST_NODE'] ?? process.execPath;

async function runAll(files: readonly string[], jobs: number): Promise<FileResult[]> {
  const queue = [...files];
  const results: FileResult[] = [];
  const work = async (): Promise<void> => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
      const result = await runFile(file, { node });
      results.push(result);
      show(result);
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  return results;
}

/** With the failed files run once more, if they are few: on a busy machine a time limit can pass that holds otherwise. */
async function again(results: readonly FileResult[], most: number): Promise<FileResult[]> {
  const failed = results.filter(isFailure);
  if (failed.length === 0 || failed.length > most) return [...results];
  console.log(`Once more, alone: ${failed.map(({ file }) => relative(root, file)).join(', ')}`);
  const files = failed.map(({ file }) => file);
  return [...results.filter((result) => !isFailure(result)), ...(await runAll(files, 1))];
}

const isFailure = ({ failures, problems }: FileResult): boolean =>
  failures.length + problems.length > 0;

function show(result: FileResult): void {
  const name = relative(root, result.file);
  const failed = isFailure(result);
  const seconds = (result.milliseconds / 1000).toFixed(1);
  console.log(`${failed ? 'FAIL' : 'ok  '} ${name}  ${result.passed} passed, ${seconds} s`);
  for (const { test, reason } of result.skipped) console.log(`     skipped: ${test}: ${reason}`);
  if (failed) showFailure(result);
}

function showFailure({ failures, problems, output }: FileResult): void {
  for (const problem of problems) console.log(`     ${problem}`);
  for (const { test } of failures) console.log(`     failed: ${test}`);
  if (output.trim() !== '') console.log(indent(output));
  // A test may have lost the output for us, with the text of its own failure.
  for (const { error } of failures.filter(
    (failure) => !output.includes(failure.error.split('\n', 1)[0] ?? ''),
  ))
    console.log(indent(error));
}

const indent = (text: string): string => text.trimEnd().replaceAll(/^/gm, '     | ');

function count(
  results: readonly FileResult[],
  items: (result: FileResult) => readonly unknown[],
): number {
  return results.reduce((sum, result) => sum + items(result).length, 0);
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    killAll();
    process.exit(1);
  });
}

const files = testFiles(process.argv.slice(2));
if (files.length === 0) console.log(`no test file matches ${process.argv.slice(2).join(' ')}`);
const results = await again(
  await runAll(files, Number(process.env['ELSEWHERE_TEST_JOBS'] ?? 2)),
  Number(process.env['ELSEWHERE_TEST_AGAIN'] ?? 0),
);
const passed = results.reduce((sum, result) => sum + result.passed, 0);
const failed =
  count(results, (result) => [...result.failures, ...result.problems]) +
  (files.length === 0 ? 1 : 0);
const skipped = count(results, (result) => result.skipped);
process.exitCode = failed > 0 ? 1 : 0;
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);

/** Each way in which a broken test passes under uvu alone (or under us, once): it must fail here. */
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type FileResult, runFile } from './run-file.ts';
import { suite } from './suite.ts';

const test = suite('kit/suite', { limit: 30_000 });
const extension = import.meta.url.slice(-3);

function file(name: string): string {
  return fileURLToPath(new URL(`./fixtures/${name}${extension}`, import.meta.url));
}

/** What one line can tell of a result. */
function summary({ passed, failures, problems }: FileResult): unknown[] {
  return [passed, failures.length, ...problems];
}

interface Case {
  readonly fixture: string;
  /** How many passed, how many failed, then what is wrong with the file as a whole. */
  readonly expected: readonly unknown[];
  /** What the texts of its failures, or else its output, must say. */
  readonly says?: RegExp;
  readonly limit?: number;
}

const cases: readonly Case[] = [
  { fixture: 'passes', expected: [2, 0] },
  { fixture: 'fails', expected: [1, 1], says: /1 !== 2/ },
  { fixture: 'throws-undefined', expected: [1, 3], says: /no error: undefined.*no error: 'text'/s },
  { fixture: 'before-throws', expected: [0, 2], says: /no database/ },
  { fixture: 'before-each-throws', expected: [1, 1], says: /only once/ },
  { fixture: 'after-each-throws', expected: [2, 1], says: /no error: undefined/ },
  { fixture: 'after-throws', expected: [1, 1], says: /not closed/ },
  { fixture: 'output-lost', expected: [0, 1], says: /said nowhere/ },
  { fixture: 'never-settles', expected: [1, 1], says: /still running after 100 ms/ },
  { fixture: 'timers-faked', expected: [0, 1], says: /still running after 100 ms/ },
  {
    fixture: 'run-forgotten',
    expected: [
      0,
      0,
      'ended with exit code 1',
      'declared but not run to the end: "run forgotten › never"',
    ],
  },
  { fixture: 'empty', expected: [0, 0, 'ended with exit code 1', 'it declares no test'] },
  { fixture: 'no-suite', expected: [0, 0, 'it declares no test'] },
  {
    fixture: 'only',
    expected: [1, 0, 'ended with exit code 1', '.only is left in: "only › alone"'],
  },
  {
    fixture: 'handle-open',
    limit: 1_500,
    expected: [
      1,
      0,
      'killed after 1.5 s: all tests had ended, so something they left open kept the process alive',
    ],
  },
  {
    fixture: 'loops',
    limit: 1_500,
    expected: [
      0,
      0,
      'killed after 1.5 s: "loops › for ever" did not end',
      'declared but not run to the end: "loops › for ever"',
    ],
  },
  { fixture: 'asks-for-time', limit: 500, expected: [1, 0] },
  {
    fixture: 'unhandled',
    expected: [
      0,
      0,
      'ended with exit code 1',
      'declared but not run to the end: "unhandled › forgets a promise"',
    ],
    says: /nobody waits/,
  },
  {
    fixture: 'exits',
    expected: [1, 0, 'ended with exit code 1', 'declared but not run to the end: "exits › leaves"'],
  },
  { fixture: 'late-throw', expected: [1, 0, 'ended with exit code 1'], says: /too late/ },
  { fixture: 'exit-code', expected: [1, 0, 'ended with exit code 3'] },
];

for (const { fixture, expected, says, limit } of cases) {
  test(fixture, async () => {
    const result = await runFile(file(fixture), limit === undefined ? {} : { limit });
    assert.deepEqual(summary(result), expected, result.output);
    const errors = result.failures.map(({ error }) => error).join('\n');
    assert.match(errors === '' ? result.output : errors, says ?? /(?:)/);
  });
}

test('a file that does not load fails, whatever it declared before', async () => {
  for (const fixture of ['bad-import', 'same-name']) {
    const { problems } = await runFile(file(fixture));
    assert.ok(problems.includes('ended with exit code 1'), fixture);
  }
});

test('skipped tests are told with their reasons', async () => {
  const result = await runFile(file('skips'));
  assert.deepEqual(summary(result), [1, 0]);
  assert.deepEqual(result.skipped, [
    { test: 'skips › declared so', reason: 'not on this machine' },
    { test: 'skips › finds out', reason: 'no such program' },
    { test: 'skips as a whole › first', reason: 'needs root' },
    { test: 'skips as a whole › second', reason: 'needs root' },
  ]);
});

test('what a file leaves running is ended with it', async () => {
  const result = await runFile(file('leaves-child'));
  assert.deepEqual(summary(result), [1, 0]);
  const socket = connect(Number(/port (\d+)/.exec(result.output)?.[1]), '127.0.0.1');
  await assert.rejects(once(socket, 'connect'), { code: 'ECONNREFUSED' });
});

test('started by hand, a file tells by its exit code', () => {
  const status = (name: string): number | null => spawnSync(process.execPath, [file(name)]).status;
  const failing = [
    'fails',
    'throws-undefined',
    'before-throws',
    'after-each-throws',
    'after-throws',
    'run-forgotten',
    'empty',
  ];
  assert.deepEqual(
    failing.map(status),
    failing.map(() => 1),
  );
  assert.deepEqual(['passes', 'skips'].map(status), [0, 0]);
});

interface Run {
  readonly code: number;
  readonly lines: string[];
}

function runner(...names: string[]): Promise<Run> {
  return runnerWith({}, ...names);
}

async function runnerWith(env: NodeJS.ProcessEnv, ...names: string[]): Promise<Run> {
  const run = fileURLToPath(new URL(`./run${extension}`, import.meta.url));
  const surroundings = { ...process.env, ELSEWHERE_TEST_AGAIN: '0', ...env };
  return new Promise((resolve) => {
    execFile(process.execPath, [run, ...names], { env: surroundings }, (error, stdout) => {
      resolve({ code: Number(error?.code ?? 0), lines: stdout.split('\n') });
    });
  });
}

test('the runner ends with one plain line', async () => {
  const good = await runner(file('passes'));
  assert.deepEqual([good.code, ...good.lines.slice(-2)], [0, '2 passed, 0 failed', '']);
  const bad = await runner(file('passes'), file('fails'), file('no-suite'), file('skips'));
  assert.deepEqual([bad.code, ...bad.lines.slice(-2)], [1, '4 passed, 2 failed, 4 skipped', '']);
  assert.ok(bad.lines.includes('     skipped: skips › finds out: no such program'));
  assert.ok(bad.lines.some((line) => line.includes('1 !== 2')));
  const none = await runner('no file is called so');
  assert.deepEqual([none.code, ...none.lines.slice(-2)], [1, '0 passed, 1 failed', '']);
});

test('the runner shows a failure whose test had taken the output away, and no output of what passed', async () => {
  const { lines } = await runner(file('output-lost'), file('passes'));
  assert.ok(lines.some((line) => line.includes('said nowhere')));
  assert.ok(!lines.some((line) => line.includes('Total:     2')));
});

test('told so, the runner runs a few failed files once more, and shows both runs', async () => {
  const FAILED_ONCE = join(mkdtempSync(join(tmpdir(), 'again-')), 'marker');
  const env = { ELSEWHERE_TEST_AGAIN: '1', FAILED_ONCE };
  const good = await runnerWith(env, file('fails-once'), file('passes'));
  assert.deepEqual([good.code, ...good.lines.slice(-2)], [0, '3 passed, 0 failed', '']);
  assert.ok(good.lines.some((line) => line.includes('the machine was busy')));
  const bad = await runnerWith(env, file('fails'));
  assert.deepEqual([bad.code, ...bad.lines.slice(-2)], [1, '1 passed, 1 failed', '']);
  rmSync(FAILED_ONCE);
  const many = await runnerWith(env, file('fails-once'), file('fails'));
  assert.deepEqual([many.code, ...many.lines.slice(-2)], [1, '1 passed, 2 failed', '']);
});

test.run();

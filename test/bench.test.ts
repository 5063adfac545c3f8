/** The benchmarks run, say what they measured, and leave nothing behind. Their figures are nobody's test. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Result } from '../bench/rounds.ts';
import { repository, runProgram } from './kit/agent.ts';
import { suite } from './kit/suite.ts';

const test = suite('bench', { limit: 30_000 });
const main = join(repository, 'build', 'bench', 'main.js');

let folder = '';
test.before(() => {
  folder = mkdtempSync(join(tmpdir(), 'elsewhere-bench-test-'));
});
test.after(() => rmSync(folder, { recursive: true, force: true }));

test('a benchmark tells the figures of all its contestants, and cleans up', async () => {
  const args = [main, 'sync', '--rounds', '2', '--scale', '0.01', '--json'];
  const { code, stdout, stderr } = await runProgram(process.execPath, args, {
    env: { TMPDIR: folder },
  });
  assert.equal(code, 0, stderr);
  const results = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Result);
  assert.deepEqual(
    [...new Set(results.map(({ contest }) => contest))],
    ['stat over unix', 'stat over tcp', 'stat over ws'],
  );
  for (const { name, median, best, ratio, rounds } of results) {
    assert.ok(median >= best && best > 0 && ratio > 0, name);
    assert.equal(rounds, 2);
  }
  assert.deepEqual(readdirSync(folder), []);
});

test('an interrupted benchmark takes its processes and folders away', async () => {
  const { code, stderr } = await runProgram(process.execPath, [main, 'calls', '--scale', '1000'], {
    env: { TMPDIR: folder },
    onStart: (started) => {
      started.stderr?.once('data', () => started.kill('SIGINT'));
    },
  });
  assert.equal(code, 130, stderr);
  assert.deepEqual(readdirSync(folder), []);
});

test('a name that there is not is refused with the list', async () => {
  const { code, stderr } = await runProgram(process.execPath, [main, 'nothing']);
  assert.equal(code, 2);
  assert.match(stderr, /there is no "nothing"[\s\S]*outside/);
});

test.run();

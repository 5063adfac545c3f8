// A short run of `npm run chaos`, and the same with a fault in it, which it must notice.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { repository, runProgram } from '../kit/agent.ts';
import { suite } from '../kit/suite.ts';
import type { Figures } from './run.ts';

const test = suite('chaos', { limit: 180_000, fileLimit: 400_000 });
const main = join(repository, 'build', 'test', 'chaos', 'main.js');

test('fifty disconnects of each transport under load lose nothing, double nothing and leave nothing', async () => {
  const { code, stdout, stderr } = await runProgram(process.execPath, [main, '--small', '--json']);
  assert.equal(code, 0, stderr);
  const runs = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Figures);
  assert.deepEqual(new Set(runs.map(({ scheme }) => scheme)), new Set(['tcp', 'ws', 'tls']));
  for (const { disconnects, calls, replay } of runs) {
    assert.ok(disconnects >= 50 && calls >= 500, stdout);
    assert.ok(replay.near > 0 && replay.far > 0, 'something was kept');
  }
});

test('a side that sends again what the other has already is noticed: calls are carried out twice', async () => {
  const { code, stderr } = await runProgram(process.execPath, [main, '--mutant']);
  assert.equal(code, 1);
  assert.match(stderr, /\d+ calls were carried out more than once/);
});

test.run();

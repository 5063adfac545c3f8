import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { elsewhere, startAgent, type TestAgent } from '../kit/agent.ts';
import { suite } from '../kit/suite.ts';

const test = suite('cli/interactive', { limit: 20_000 });
let agent: TestAgent;

test.before(async () => {
  agent = await startAgent();
});
test.after(() => agent.stop());

test('repl: names stay, lines go on, await works, output and errors show here', async () => {
  const lines = [
    'const x = 5',
    'x + 1',
    "await Promise.resolve('a')",
    'function double(a) {',
    '  return a * 2 }',
    'double(4)',
    "console.log('printed there')",
    'process.pid',
    'nope',
    '.exit',
    'unread',
  ];
  const { stdout, code } = await elsewhere(['repl', agent.url], { input: lines.join('\n') });
  assert.equal(code, 0);
  const shown = stdout.split('\n');
  assert.deepEqual(shown.slice(0, 7), [
    '5',
    '6',
    "'a'",
    shown[3],
    '8',
    'printed there',
    String(agent.process.pid),
  ]);
  assert.match(shown[3] ?? '', /^\[Remote Function double #\d+ via ws:/);
  assert.match(stdout, /Uncaught ReferenceError: nope is not defined/);
  assert.doesNotMatch(stdout, /unread/);
});

test('cp: there and back', async () => {
  const file = join(agent.folder, 'here');
  writeFileSync(file, 'text');
  const up = await elsewhere(['cp', '--on', agent.url, file, ':there']);
  assert.deepEqual([up.code, up.stderr], [0, '1 file, 4 bytes\n']);
  assert.equal(readFileSync(join(agent.folder, 'there'), 'utf8'), 'text');
  const down = await elsewhere(['cp', '--on', agent.url, ':there', `${file}-again`]);
  assert.equal(down.code, 0, down.stderr);
  assert.equal(readFileSync(`${file}-again`, 'utf8'), 'text');
  assert.equal((await elsewhere(['cp', '--on', agent.url, 'a', 'b'])).code, 2);
});

test.run();

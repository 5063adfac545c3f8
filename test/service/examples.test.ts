import assert from 'node:assert/strict';
import { join } from 'node:path';
import { repository, runProgram, startAgent, type TestAgent } from '../kit/agent.ts';
import { suite } from '../kit/suite.ts';

const test = suite('service/examples', { limit: 20_000 });
let agent: TestAgent;

test.before(async () => {
  agent = await startAgent();
});
test.after(() => agent.stop());

const example = (name: string, ...args: string[]) =>
  runProgram(process.execPath, [join(repository, 'build', 'examples', `${name}.js`), ...args]);

test('10: classic mode', async () => {
  const { stdout, stderr, code } = await example('10-classic-mode', agent.url, agent.url);
  assert.equal(code, 0, stderr);
  assert.match(
    stdout,
    /\nhello Ada\ncalled back with 42\n\[ 1, 2, 3 \]\nTracked \{ pending \}\nTracked \{ fulfilled: undefined \}\nprinted there, shown here\n$/,
  );
});

test('11: services', async () => {
  const { stdout, stderr, code } = await example('11-services');
  assert.equal(code, 0, stderr);
  assert.equal(
    stdout,
    'the server says: adding 1 and 2\n1 + 2 = 3\ncounted 1\ncounted 2\ncounted 3\nthe other side offers no member named "secret"\n',
  );
});

test.run();

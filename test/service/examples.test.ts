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

test('12: any module', async () => {
  const { stdout, stderr, code } = await example('12-any-module', agent.url);
  assert.equal(code, 0, stderr);
  assert.equal(stdout, 'there: true\nsalary: 2003\nblocking: 1001\nuploaded: function\n');
});

test('13: a prompt', async () => {
  const file = join(repository, 'build', 'examples', '13-interact.js');
  const { stdout, stderr, code } = await runProgram(process.execPath, [file, agent.url], {
    input: 'const x = 20\nx * 2 + 2\nprocess.pid\n',
  });
  assert.equal(code, 0, stderr);
  assert.match(stdout, new RegExp(`42\\n${agent.process.pid}\\n`));
});

test('14: logins', async () => {
  const { stdout, stderr, code } = await example('14-logins');
  assert.equal(code, 0, stderr);
  assert.match(
    stdout,
    /^ada - it is open\nbob - only Ada may open it\n.*wrong name or password\n$/,
  );
});

test('15: a registry', async () => {
  const { stdout, stderr, code } = await example('15-registry');
  assert.equal(code, 0, stderr);
  assert.equal(stdout, 'registered: GREETER GREETER\nhello Ada\nleft: 0\n');
});

test('16: JSON-RPC', async () => {
  const { stdout, stderr, code } = await example('16-json-rpc');
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^\{ jsonrpc: '2\.0', id: 1, result: 3 \}\n\[[\s\S]*result: 7[\s\S]*-32601/);
});

test('17: a value replaced in a scope', async () => {
  const { stdout, stderr, code } = await example('17-replace-a-property', agent.url);
  assert.equal(code, 0, stderr);
  assert.equal(
    stdout,
    "inside, as the far side says it: true\ninside, it is another module: true\noutside again: true\ndelivered, changed there, obtained: Map(1) { 'books' => 4 }\n",
  );
});

test.run();

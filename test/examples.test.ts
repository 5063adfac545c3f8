import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createLineServer } from 'node:net';
import { join } from 'node:path';
import { repository, runProgram, startAgent, type TestAgent } from './kit/agent.ts';
import { suite } from './kit/suite.ts';

const test = suite('examples', { limit: 30_000 });
let agent: TestAgent;

test.before(async () => {
  agent = await startAgent();
});
test.after(() => agent.stop());

const example = (name: string, ...args: string[]) =>
  runProgram(process.execPath, [join(repository, 'build', 'examples', `${name}.js`), ...args], {
    cwd: join(repository, 'build'),
  });

test('each is short, and imports nothing of ours but the package', () => {
  for (const file of readdirSync(join(repository, 'examples')).filter((name) => /^\d/.test(name))) {
    const text = readFileSync(join(repository, 'examples', file), 'utf8');
    assert.ok(text.split('\n').length <= 40, file);
    for (const [, from] of text.matchAll(/from '([^']+)'/g))
      assert.match(from as string, /^(node:|elsewhere$)/, file);
  }
});

test('01: a remote file next to a local one', async () => {
  const { stdout, stderr, code } = await example('01-read-a-remote-file', agent.url);
  assert.equal(code, 0, stderr);
  assert.match(stdout, new RegExp(`^there: written on .* in ${agent.folder}$`, 'm'));
  assert.match(stdout, new RegExp(`^here:  written on .* in ${join(repository, 'build')}$`, 'm'));
});

test('02: through the far side', async () => {
  const server = createServer((_request, response) => response.end('a page')).listen(
    0,
    '127.0.0.1',
  );
  const lines = createLineServer((socket) => socket.end('a line\n')).listen(0, '127.0.0.1');
  await Promise.all([once(server, 'listening'), once(lines, 'listening')]);
  const { port } = server.address() as AddressInfo;
  const { stdout, stderr, code } = await example(
    '02-through-a-firewall',
    agent.url,
    `http://127.0.0.1:${port}/`,
    String((lines.address() as AddressInfo).port),
  );
  server.close();
  lines.close();
  assert.equal(code, 0, stderr);
  assert.match(stdout, /through the far side: a page\n/);
  assert.match(stdout, /a line over a socket: a line\n/);
});

test('03: redirected stdio in a test', async () => {
  const { stdout, stderr, code } = await example('03-redirected-stdio', agent.url);
  assert.deepEqual([code, stderr], [0, '']);
  assert.equal(
    stdout,
    'captured here and there: ["hello Ada\\n","hello Bob\\n","hello far side\\n"]\n',
  );
});

test('the main job', async () => {
  const { stdout, stderr, code } = await example('main');
  assert.equal(code, 0, stderr);
  assert.match(stdout, /readFileSync\('city.txt'\) {2}a file in the agent’s folder/);
  assert.match(stdout, /nothing is left behind/);
});

test.run();

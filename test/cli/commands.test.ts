import assert from 'node:assert/strict';
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { elsewhere, repository, startAgent, type TestAgent } from '../kit/agent.ts';
import { suite } from '../kit/suite.ts';

const test = suite('cli/commands', { limit: 60_000, fileLimit: 180_000 });
let agent: TestAgent;

test.before(async () => {
  agent = await startAgent();
});
test.after(() => agent.stop());

test('--version and --help', async () => {
  const { version } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8'));
  assert.deepEqual(await elsewhere(['--version']), {
    code: 0,
    signal: null,
    stdout: `${version}\n`,
    stderr: '',
  });
  const help = await elsewhere(['--help']);
  assert.equal(help.code, 0);
  for (const command of ['serve', 'run', 'exec', 'ping', 'proxy', 'relay']) {
    assert.match(help.stdout, new RegExp(`^  ${command} `, 'm'));
    const own = await elsewhere([command, '--help']);
    assert.match(own.stdout, new RegExp(`^elsewhere ${command}:`));
  }
  assert.equal((await elsewhere([])).code, 2);
  assert.match((await elsewhere(['srve'])).stderr, /no command "srve"/);
});

test('ping', async () => {
  const { stdout, code } = await elsewhere(['ping', agent.url, '--count', '2']);
  assert.equal(code, 0);
  assert.match(stdout, new RegExp(`\\(pid ${agent.process.pid}, Node .*\\): [\\d.]+ [\\d.]+ ms\n`));
  const json = JSON.parse(
    (await elsewhere(['ping', '--json'], { env: { ELSEWHERE_URL: agent.url } })).stdout,
  );
  assert.equal(json.peer.pid, agent.process.pid);
  assert.equal(json.milliseconds.length, 4);
  assert.equal((await elsewhere(['ping', 'unix:/nowhere#x'])).code, 69);
});

test('exec prints the value, and shows what the code prints', async () => {
  assert.equal((await elsewhere(['exec', agent.url, 'process.cwd()'])).stdout, `${agent.folder}\n`);
  const printed = await elsewhere([
    'exec',
    agent.url,
    'console.log("out"), console.error("err"), { a: 1 }',
  ]);
  assert.deepEqual(printed, { code: 0, signal: null, stdout: 'out\n{ a: 1 }\n', stderr: 'err\n' });
  assert.equal((await elsewhere(['exec', '--json', agent.url, '[1, "x"]'])).stdout, '[1,"x"]\n');
  const failed = await elsewhere(['exec', agent.url, 'nope']);
  assert.equal(failed.code, 1);
  assert.match(failed.stderr, /ReferenceError: nope is not defined/);
});

test('serve: a token file stays private, and out of the URL', async () => {
  const file = join(agent.folder, 'token');
  const own = await startAgent({ args: ['--token-file', file] });
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.ok(!own.url.includes('#'));
  assert.equal((await elsewhere(['ping', own.url, '--token-file', file])).code, 0);
  assert.equal(
    (
      await elsewhere(['ping', own.url], {
        env: { ELSEWHERE_TOKEN: readFileSync(file, 'utf8').trim() },
      })
    ).code,
    0,
  );
  chmodSync(file, 0o644);
  const refused = await elsewhere(['ping', own.url, '--token-file', file]);
  assert.equal(refused.code, 77);
  assert.match(refused.stderr, /can be read by others/);
  await own.stop();
});

test('serve ends gracefully on SIGTERM, and with --once after its client', async () => {
  const own = await startAgent({ args: ['--once', '--json'] });
  const { url } = JSON.parse(own.url) as { url: string };
  await elsewhere(['ping', url]);
  const code =
    own.process.exitCode ?? (await new Promise((resolve) => own.process.once('exit', resolve)));
  assert.equal(code, 0);
  const other = await startAgent();
  other.process.kill('SIGTERM');
  assert.equal(await new Promise((resolve) => other.process.once('exit', resolve)), 0);
  writeFileSync(join(agent.folder, 'x'), '');
});

test.run();

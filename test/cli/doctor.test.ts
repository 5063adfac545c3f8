import assert from 'node:assert/strict';
import { elsewhere, startAgent } from '../kit/agent.ts';
import { suite } from '../kit/suite.ts';

const test = suite('cli/doctor', { limit: 30_000 });

test('an agent that is well: a line for each step', async () => {
  const agent = await startAgent();
  const { code, stdout, stderr } = await elsewhere(['doctor', agent.url]);
  assert.equal(code, 0, stdout + stderr);
  const steps = stdout
    .trim()
    .split('\n')
    .map((line) => /^ok {3}([a-z ]+): ./.exec(line)?.[1]);
  assert.deepEqual(steps, [
    'address',
    'link',
    'token',
    'version',
    'agent',
    'round trip',
    'blocking calls',
  ]);
  assert.doesNotMatch(
    stdout,
    new RegExp(agent.url.split('#')[1] ?? '^$'),
    'the token is not shown',
  );
  await agent.stop();
});

for (const [what, url, code, said] of [
  ['no URL', 'http://127.0.0.1/', 2, /^FAIL address: /m],
  ['nobody there', 'tcp://127.0.0.1:1/#some-token-of-a-length', 69, /^FAIL link: .*refused/m],
  ['a command that fails', 'exec:echo no >&2; exit 4', 69, /^FAIL link: .*exit code 4: no/m],
] as const)
  test(`${what}: the step that fails, and the exit code`, async () => {
    const ended = await elsewhere(['doctor', url]);
    assert.match(ended.stdout, said);
    assert.equal(ended.code, code);
  });

test('a wrong token', async () => {
  const agent = await startAgent();
  const ended = await elsewhere(['doctor', agent.url.replace(/#.*/, '#another-token-than-its')]);
  assert.match(ended.stdout, /^FAIL token or certificate: .*wrong token/m);
  assert.equal(ended.code, 77);
  await agent.stop();
});

test.run();

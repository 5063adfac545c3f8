// Zero install: a real OpenSSH server, and nothing of ours on its side.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, withRemote } from '../../src/index.ts';
import { sshdMissing, startTestSshd, type TestSshd } from '../kit/sshd.ts';
import { suite } from '../kit/suite.ts';

const test = suite('session/ssh', { limit: 40_000 });
const missing = sshdMissing();
let sshd: TestSshd;
test.before(async () => {
  if (missing === undefined) sshd = await startTestSshd();
});
test.after(() => sshd?.stop());

test('the agent is sent, works, and leaves nothing behind', async ({ skip }) => {
  if (missing !== undefined) return skip(missing);
  const folder = fs.mkdtempSync('/tmp/elsewhere ssh ');
  const conn = await connect(`${sshd.url}${encodeURI(folder)}`, {
    ssh: { args: sshd.args, node: process.execPath },
  });
  const { pid } = conn.peer;
  assert.equal(conn.peer.cwd, folder);
  await conn.eval(`console.log('a stray line')`);
  await conn.eval(
    `require('node:child_process').execFileSync('echo', ['of a child'], { stdio: 'inherit' }), 0`,
  );
  const large = Buffer.alloc(3_000_000, 'large');
  withRemote(conn, { except: ['stdio'] }, () => {
    fs.writeFileSync('large', large);
    assert.ok(fs.readFileSync('large').equals(large));
  });
  await conn.close();
  while (fs.existsSync(`/proc/${pid}`)) await sleep(20);
  assert.deepEqual(fs.readdirSync(folder), ['large']);
  fs.rmSync(folder, { recursive: true });
});

test('what ssh or the far side complains of is the error', async ({ skip }) => {
  if (missing !== undefined) return skip(missing);
  const { args, url } = sshd;
  const node = process.execPath;
  for (const [target, ssh, said] of [
    [`${url}/no/such/directory`, { args, node }, /ENOENT|no such file or directory/],
    [url, { args, node: '/no/such/node' }, /not found|No such file/i],
    ['ssh://127.0.0.1:1', { args, node }, /refused/],
  ] as const)
    await assert.rejects(connect(target, { ssh }), {
      code: 'ERR_ELSEWHERE_CONNECT',
      message: said,
    });
});

test('an option is no host', async () => {
  await assert.rejects(connect('ssh://-oProxyCommand=x'), { code: 'ERR_ELSEWHERE_ARGUMENT' });
});

test.run();

import assert from 'node:assert/strict';
import childProcess from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectPair, withLocal, withRemote } from '../../src/index.ts';
import { elsewhere, startAgent } from '../kit/agent.ts';
import { suite } from '../kit/suite.ts';

const test = suite('patches/child-process');

test('in a scope no child is started here unsaid: every form refuses and says what to do', async () => {
  const { near, far } = await connectPair();
  const refused = {
    code: 'ERR_ELSEWHERE_UNSUPPORTED',
    message: /cannot be started on the far side yet.*withLocal/,
  };
  withRemote(near, { except: ['stdio'] }, () => {
    for (const start of [
      () => childProcess.spawn('true'),
      () => childProcess.exec('true'),
      () => childProcess.execFile('true'),
      () => childProcess.fork('x.js'),
      () => childProcess.spawnSync('true'),
      () => childProcess.execSync('true'),
      () => childProcess.execFileSync('true'),
    ]) {
      assert.throws(start, refused);
    }
    assert.equal(withLocal(() => childProcess.execSync('echo here')).toString(), 'here\n');
    withRemote({ child_process: 'local' }, () =>
      assert.equal(childProcess.execSync('echo here').toString(), 'here\n'),
    );
  });
  assert.equal(childProcess.execSync('echo outside').toString(), 'outside\n');
  await near.close();
  await far.close();
});

test('under run a child with an environment of its own still follows', async () => {
  const agent = await startAgent();
  writeFileSync(join(agent.folder, 'data.txt'), 'far');
  const script = `const cp = require('child_process');
    const read = ['-p', 'require("fs").readFileSync("data.txt", "utf8") + (process.env.OWN ?? "")'];
    console.log(cp.execFileSync(process.execPath, read, { env: { OWN: '1' } }).toString().trim());
    cp.spawn(process.execPath, read, { env: {}, stdio: 'inherit' });`;
  const { stdout, stderr } = await elsewhere([
    'run',
    '--on',
    agent.url,
    '--',
    process.execPath,
    '-e',
    script,
  ]);
  assert.equal(stdout, 'far1\nfar\n', stderr);
  await agent.stop();
});

test.run();

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { elsewhere, startAgent } from '../../kit/agent.ts';
import { suite } from '../../kit/suite.ts';

const test = suite('patches/child-process/following', { limit: 30_000 });

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

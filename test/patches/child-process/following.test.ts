import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { elsewhere, startAgent } from '../../kit/agent.ts';
import { suite } from '../../kit/suite.ts';

const test = suite('patches/child-process/following', { limit: 60_000, fileLimit: 240_000 });

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

test('under run other commands run on the far side, or all children where --children says', async () => {
  const agent = await startAgent();
  const script = `const cp = require('child_process');
    const parent = (command, ...args) => Number(cp.execFileSync(command, args).toString());
    const sides = [
      parent('sh', '-c', 'echo $PPID'),
      parent('node', '-p', 'process.ppid'),
      parent(process.execPath, '-p', 'process.ppid'),
    ].map((pid) => (pid === process.pid ? 'here' : pid === ${agent.process.pid} ? 'there' : pid));
    cp.spawn('sh', ['-c', 'pwd'], { stdio: 'inherit' });
    console.log(sides.join());`;
  const run = async (...options: string[]): Promise<string> => {
    const program = ['--', process.execPath, '-e', script];
    const ended = await elsewhere(['run', '--on', agent.url, ...options, ...program]);
    return ended.stdout + ended.stderr;
  };
  const lines = (text: string): string[] => text.trim().split('\n').sort();
  assert.deepEqual(lines(await run()), [agent.folder, 'there,here,here']);
  assert.deepEqual(lines(await run('--children', 'remote')), [agent.folder, 'there,there,there']);
  assert.match(await run('--children', 'all'), /--children is one of follow, remote, local/);
  await agent.stop();
});

test.run();

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

test('under run a child that runs here may have far files as its stdio', async () => {
  const agent = await startAgent();
  writeFileSync(join(agent.folder, 'input'), 'first\nsecond\n');
  const script = `const cp = require('child_process'), fs = require('fs');
    const copy = 'process.stdin.on("data", (d) => console.log("got", d.length)).on("end", () => console.error("end"))';
    const open = () => [fs.openSync('input'), fs.openSync('out', 'a'), fs.openSync('err', 'a')];
    const first = open();
    const child = cp.spawn(process.execPath, ['-e', copy], { stdio: first });
    // As with a kernel's descriptors, the child has its own.
    first.forEach((fd) => fs.closeSync(fd));
    child.on('exit', () => {
      console.log(fs.readFileSync('out', 'utf8').trim(), fs.readFileSync('err', 'utf8').trim());
      const second = open();
      cp.execFileSync(process.execPath, ['-e', copy], { stdio: second });
      fs.writeSync(second[1], 'mine');
      second.forEach((fd) => fs.closeSync(fd));
      console.log(JSON.stringify(fs.readFileSync('out', 'utf8')));
    });`;
  const program = ['--', process.execPath, '-e', script];
  const { stdout, stderr } = await elsewhere(['run', '--on', agent.url, ...program]);
  assert.equal(stdout, 'got 13 end\n"got 13\\ngot 13\\nmine"\n', stderr);
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

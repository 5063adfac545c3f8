/** The canary: every export of `child_process` is known here, and those that start something ask the far side. */
import assert from 'node:assert/strict';
import childProcess from 'node:child_process';
import { once } from 'node:events';
import { type Connection, connect, withRemote } from '../../../src/index.ts';
import { startAgent, type TestAgent } from '../../kit/agent.ts';
import { suite } from '../../kit/suite.ts';

const test = suite('patches/child-process/canary', { limit: 30_000 });

const { spawn: taken } = childProcess.ChildProcess.prototype as unknown as {
  spawn(options: object): void;
};

let agent: TestAgent;
let conn: Connection;
test.before(async () => {
  agent = await startAgent();
  conn = await connect(agent.url);
});
test.after(async () => {
  await conn.close();
  await agent.stop();
});

const ask = ['-c', 'echo $PPID'];
const parent = (child: childProcess.ChildProcess): Promise<string> =>
  once(child.stdout as NodeJS.ReadableStream, 'data').then(([bytes]) => String(bytes));

/** What started the child, by the child's own word. */
const EXPORTS: Readonly<Record<string, string | (() => unknown)>> = {
  ChildProcess: () => {
    const child = new childProcess.ChildProcess();
    (child as unknown as { spawn(options: object): void }).spawn({
      file: 'sh',
      args: ['sh', ...ask],
    });
    return parent(child);
  },
  _forkChild: 'the start of a program that was forked: about this process',
  exec: () => parent(childProcess.exec('echo $PPID')),
  execFile: () => parent(childProcess.execFile('sh', ask)),
  execFileSync: () => childProcess.execFileSync('sh', ask),
  execSync: () => childProcess.execSync('echo $PPID'),
  fork: () =>
    parent(childProcess.fork('-p', [], { execArgv: ['-p', 'process.ppid'], silent: true })),
  spawn: () => parent(childProcess.spawn('sh', ask)),
  spawnSync: () => childProcess.spawnSync('sh', ask).stdout,
};

test('every export starts its child on the far side, or is known to start none', async () => {
  assert.deepEqual(Object.keys(childProcess).sort(), Object.keys(EXPORTS).sort());
  for (const [name, use] of Object.entries(EXPORTS)) {
    if (typeof use === 'string') continue;
    const started = await withRemote(conn, { stdio: 'local' }, use);
    assert.equal(Number(String(started)), agent.process.pid, name);
    assert.equal(Number(String(await use())), process.pid, `${name} outside`);
  }
});

test('a function that was taken before anything was installed works in scopes too', async () => {
  const child = new childProcess.ChildProcess();
  withRemote(conn, { stdio: 'local' }, () =>
    taken.call(child, { file: 'sh', args: ['sh', ...ask] }),
  );
  assert.equal(Number(await parent(child)), agent.process.pid);
});

test.run();

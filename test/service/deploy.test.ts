import assert from 'node:assert/strict';
import { deploy } from '../../src/index.ts';
import { cliFile } from '../kit/agent.ts';
import { suite } from '../kit/suite.ts';

// Over ssh: session/ssh. Here agents on the standard streams of commands, as in containers.
const test = suite('service/deploy', { limit: 20_000 });
const agent = `exec:${process.execPath} ${cliFile} serve --stdio`;

test('several at once, each a process of its own that ends with the deployment', async () => {
  const fleet = await deploy([agent, agent]);
  const pids = await Promise.all(fleet.connections.map((conn) => conn.eval<number>('process.pid')));
  assert.equal(new Set([...pids, process.pid]).size, 3);
  assert.equal(await fleet.connection.eval('process.pid'), pids[0]);
  await fleet.close();
  // They end with their input.
  while (pids.some(isRunning)) await new Promise((resolve) => setTimeout(resolve, 10));
});

test('one that cannot be had ends the others, and is named', async () => {
  await assert.rejects(deploy([agent, 'exec:echo no agent here']), {
    code: 'ERR_ELSEWHERE_CONNECT',
    message: /no agent here/,
  });
  await assert.rejects(deploy(['exec:exit 3', 'exec:exit 4']), (error: AggregateError) => {
    assert.match(error.message, /2 of 2 agents/);
    return error.errors.every(({ code }) => code === 'ERR_ELSEWHERE_CONNECT');
  });
});

test('what runs already is for connect', async () => {
  await assert.rejects(deploy('ws://127.0.0.1:1/#secret'), {
    code: 'ERR_ELSEWHERE_ARGUMENT',
    message: /connect\("ws:\/\/127\.0\.0\.1:1\/"\)/,
  });
  await assert.rejects(deploy([]), { code: 'ERR_ELSEWHERE_ARGUMENT' });
});

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test.run();

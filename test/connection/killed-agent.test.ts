/** Agents that are killed while this thread is blocked in a call to them. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, withLocal, withRemote } from '../../src/index.ts';
import { startAgent } from '../kit/agent.ts';
import { suite } from '../kit/suite.ts';
import { LINK_KINDS } from './link-kinds.ts';

for (const { name, listen, args = [], options = {}, dial = (url: string) => url } of LINK_KINDS) {
  const test = suite(`connection/killed-agent over ${name}`, { limit: 30_000, fileLimit: 120_000 });

  test('an agent that is killed ends the call: lost, and maybe carried out', async () => {
    const own = await startAgent({ listen: listen.replace('.sock', '-killed.sock'), args });
    const lost = await connect(dial(own.url), options);
    // Its last deed is in the middle of our call.
    const error = thrown(() =>
      lost.channel.requestSync('classic.eval', [[null, 'process.kill(process.pid, "SIGKILL")']]),
    );
    assert.equal(error.code, 'ERR_ELSEWHERE_CONNECTION_LOST', error.stack);
    assert.equal((error as { maybeExecuted?: boolean }).maybeExecuted, true);
    assert.equal(
      ((await lost.closed) as NodeJS.ErrnoException).code,
      'ERR_ELSEWHERE_CONNECTION_LOST',
    );
    assert.equal(
      thrown(() => withRemote(lost, () => fs.statSync('/'))).code,
      'ERR_ELSEWHERE_CLOSED',
    );
    // The end of the main link comes later, and must not open again what is over: that would keep the process alive.
    await own.stop();
    await sleep(50);
    assert.equal(lost.state, 'closed');
  });

  test('an open file of an agent that is killed fails with EIO', async () => {
    const own = await startAgent({ listen: listen.replace('.sock', '-fifo.sock'), args });
    const lost = await connect(dial(own.url), options);
    execFileSync('mkfifo', [join(own.folder, 'fifo')]);
    await withRemote(lost, { except: ['stdio'] }, async () => {
      // A reader that is its own writer: reading waits for ever.
      const fd = fs.openSync('fifo', 'r+');
      withLocal(() => spawn('sh', ['-c', `sleep 0.2; kill -KILL ${own.process.pid}`]));
      const error = thrown(() => fs.readSync(fd, Buffer.alloc(1)));
      assert.deepEqual([error.code, error.syscall], ['EIO', 'read']);
      assert.equal((error.cause as NodeJS.ErrnoException).code, 'ERR_ELSEWHERE_CONNECTION_LOST');
    });
    await lost.closed;
    await own.stop();
  });

  test.run();
}

function thrown(fn: () => unknown): NodeJS.ErrnoException {
  try {
    fn();
  } catch (error) {
    return error as NodeJS.ErrnoException;
  }
  throw new assert.AssertionError({ message: 'nothing was thrown' });
}

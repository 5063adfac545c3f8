/**
 * A program under `elsewhere run` begins with a blocking link; its main lane is dialled at the first asynchronous call,
 * by an event loop that a blocking call stops. The blocking call must not overtake the asynchronous one for that.
 */
import assert from 'node:assert/strict';
import { closeSync, openSync, readFileSync, write, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { promisify } from 'node:util';
import { withRemote } from '../../src/index.ts';
import { connectBlocking } from '../../src/service/connect.ts';
import { startAgent, type TestAgent } from '../kit/agent.ts';
import { suite } from '../kit/suite.ts';
import { LINK_KINDS } from './link-kinds.ts';

const test = suite('connection/early-order', { limit: 30_000 });

for (const { name, listen, options } of LINK_KINDS) {
  if (!['ws', 'unix', 'worker'].includes(name)) continue;
  test(`blocking calls stay behind asynchronous ones while the main lane is dialled: ${name}`, async () => {
    const agent = await startAgent({ listen });
    // The main lane is at another stage of its handshake each time. Links of workers take their time to start.
    const stages = name === 'worker' ? [2] : [0, 1, 2, 3, 4, 6];
    for (const turns of stages) await once(agent, turns, options);
    await agent.stop();
  });
}

async function once(
  agent: TestAgent,
  turns: number,
  options: Parameters<typeof connectBlocking>[1],
): Promise<void> {
  const conn = connectBlocking(agent.url, options);
  const name = `order-${turns}`;
  await withRemote(conn, { stdio: 'local' }, async () => {
    const fd = openSync(name, 'w');
    const pending: Promise<unknown>[] = [];
    const both = (first: string, second: string): void => {
      pending.push(promisify(write)(fd, first));
      writeSync(fd, second);
    };
    both('a', 'b');
    for (let i = 0; i < turns; i++) await turn();
    both('c', 'd');
    both('e', 'f');
    await Promise.all(pending);
    both('g', 'h');
    await Promise.all(pending);
    closeSync(fd);
  });
  assert.equal(readFileSync(join(agent.folder, name), 'utf8'), 'abcdefgh', `${turns} turns`);
  await conn.close();
}

test.run();

// A server that stops answers what it has begun, and refuses the rest as not carried out: nobody has to guess.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Connection, connect, serve } from '../../src/index.ts';
import { startAgent } from '../kit/agent.ts';
import { suite } from '../kit/suite.ts';

const test = suite('session/drain', { limit: 100_000, fileLimit: 240_000 });

/** Far: notes the number, is told to stop at one of them, and answers a little later. */
interface Noting {
  note(n: number): Promise<number>;
}

interface Fates {
  readonly answered: Set<unknown>;
  readonly refused: Set<unknown>;
  readonly others: unknown[];
}

/** Makes `count` calls that note their number on the far side and answer after a while. */
async function callMany(conn: Connection, count: number): Promise<Fates> {
  const fates: Fates = { answered: new Set(), refused: new Set(), others: [] };
  const one = async (i: number): Promise<void> => {
    try {
      fates.answered.add(await conn.run((n) => (globalThis as unknown as Noting).note(n), i));
    } catch (error) {
      if ((error as { maybeExecuted?: boolean }).maybeExecuted === false) fates.refused.add(i);
      else fates.others.push(error);
    }
  };
  // Half of them at once, each of the others as soon as one of those has its fate.
  await Promise.all(
    Array.from({ length: count / 2 }, async (_, i) => {
      await one(i);
      await one(i + count / 2);
    }),
  );
  return fates;
}

for (const scheme of ['ws', 'tcp']) {
  test(`${scheme}: SIGTERM with 10,000 calls in flight: each is answered or known not to have run`, async () => {
    const agent = await startAgent({ listen: `${scheme}://127.0.0.1:0` });
    const conn = await connect(agent.url);
    await conn.execute(`
      const fs = require('node:fs');
      const log = fs.openSync('log', 'a');
      globalThis.note = (n) => {
        fs.writeSync(log, n + '\\n');
        if (n === 1000) { fs.writeFileSync('told', String(Date.now())); process.kill(process.pid, 'SIGTERM'); }
        return new Promise((resolve) => setTimeout(resolve, 100, n));
      };`);
    const exit = once(agent.process, 'exit');
    const all = callMany(conn, 10_000);
    const [exitCode] = await exit;
    const told = Number(fs.readFileSync(join(agent.folder, 'told'), 'utf8'));
    assert.ok(Date.now() - told < 10_000, `${Date.now() - told} ms`);
    assert.equal(exitCode, 0);
    const { answered, refused, others } = await all;
    assert.deepEqual(others, []);
    assert.equal(answered.size + refused.size, 10_000);
    assert.ok(refused.size > 0, 'it was stopped in the middle');
    const ran = fs.readFileSync(join(agent.folder, 'log'), 'utf8').trim().split('\n').map(Number);
    assert.deepEqual(new Set(ran), answered);
    assert.equal(ran.length, answered.size, 'once each');
    await conn.close();
    await agent.stop();
  });
}

test('what does not end within the time is lost, and maybe carried out', async () => {
  const server = await serve({ listen: 'tcp://127.0.0.1:0' });
  const conn = await connect(server.url);
  const endless = conn.eval('new Promise(() => {})');
  const lost = assert.rejects(endless, {
    code: 'ERR_ELSEWHERE_CONNECTION_LOST',
    maybeExecuted: true,
  });
  await conn.ping();
  const started = performance.now();
  await server.close({ drain: 200 });
  const took = performance.now() - started;
  assert.ok(took > 150 && took < 5000, `${took} ms`);
  await lost;
  await assert.rejects(conn.eval('1'), { code: 'ERR_ELSEWHERE_CLOSED', maybeExecuted: false });
});

test('an idle client does not hold up a server that stops', async () => {
  const server = await serve({ listen: 'tcp://127.0.0.1:0' });
  const conn = await connect(server.url);
  const started = performance.now();
  await server.close({ drain: 5000 });
  assert.ok(performance.now() - started < 2500);
  await conn.closed;
});

test('a stream that is asked for while the server stops is refused', async () => {
  const server = await serve({ listen: 'tcp://127.0.0.1:0' });
  const conn = await connect(server.url);
  const slow = conn.eval('new Promise((resolve) => setTimeout(resolve, 300, 1))');
  await conn.ping();
  const closing = server.close({ drain: 5000 });
  // Before the client has heard of it, and after.
  const reasons: unknown[] = [];
  const ask = (): void => {
    conn.channel.open('net.connect', [], {
      data: () => undefined,
      end: () => undefined,
      closed: (error) => reasons.push((error as { code?: string } | undefined)?.code),
    });
  };
  ask();
  await sleep(100);
  ask();
  assert.equal(await slow, 1);
  await closing;
  assert.deepEqual(reasons, ['ERR_ELSEWHERE_CLOSED', 'ERR_ELSEWHERE_CLOSED']);
});

test.run();

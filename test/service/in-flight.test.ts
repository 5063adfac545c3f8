// 100,000 calls in flight at once: begun in the order in which they were made, and nothing of them stays.
import assert from 'node:assert/strict';
import { connect } from '../../src/index.ts';
import { startAgent } from '../kit/agent.ts';
import { suite } from '../kit/suite.ts';

const test = suite('service/in-flight', { limit: 60_000, fileLimit: 90_000 });
const CALLS = 100_000;

test('100,000 calls in flight keep their order, and leave nothing behind', async () => {
  const agent = await startAgent();
  const conn = await connect(agent.url);
  await conn.execute('namespace.seen = []; namespace.see = (i) => (seen.push(i), -i)');
  const see = conn.namespace['see'] as unknown as (i: number) => Promise<number>;
  const calls = Array.from({ length: CALLS }, (_, i) => see(i));
  const given = await Promise.all(calls);
  assert.ok(given.every((value, i) => value === -i || (i === 0 && value === 0)));
  assert.equal(await conn.eval('seen.length'), CALLS);
  assert.ok(await conn.eval('seen.every((value, i) => value === i)'));
  assert.equal(conn.stats().pendingCalls, 0);
  assert.ok(conn.stats().handles.held <= 2, 'no reference for each call');
  await conn.close();
  await agent.stop();
});

test.run();

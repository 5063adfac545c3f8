/** A call that is cancelled stops the far side's work, whenever it comes, and leaves nothing behind on either side. */
import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { randomNumbers } from '../kit/random-numbers.ts';
import { suite } from '../kit/suite.ts';
import { connectedPeers } from './peers.ts';

const test = suite('connection/cancel', { limit: 30_000 });

test('thousands of random cancels: each call ends once, each handle is given back', async () => {
  const { near, far, farMethods, closed } = connectedPeers();
  const random = randomNumbers(20_261_125);
  const held = new Set<object>();
  farMethods.addCall(
    'hold',
    (_args, call) =>
      new Promise((resolve, reject) => {
        const handle = {};
        held.add(handle);
        const free = (): void => {
          held.delete(handle);
          reject(call?.signal.reason);
        };
        call?.signal.addEventListener('abort', free, { once: true });
        const turns = Math.floor(random() * 6);
        // Some end by themselves, perhaps while the cancel is on its way.
        if (turns < 5) void pass(turns).then(() => held.delete(handle) && resolve(turns));
      }),
  );
  const ends = { answered: 0, aborted: 0 };
  const one = async (): Promise<void> => {
    let settled = false;
    const over = new Promise<void>((resolve) => {
      const id = near.request('hold', [], (error) => {
        assert.equal(settled, false, 'once');
        settled = true;
        ends[error === null ? 'answered' : 'aborted']++;
        if (error !== null) assert.match((error as Error).message, /aborted/);
        resolve();
      });
      // Before it has left, while it runs, after its answer left; never later, since the id may be another call's then.
      void pass(Math.floor(random() * 8)).then(() => settled || near.cancel(id));
    });
    await over;
  };
  for (let round = 0; round < 100; round++) await Promise.all(Array.from({ length: 100 }, one));
  assert.equal(ends.answered + ends.aborted, 10_000);
  assert.ok(ends.answered > 500 && ends.aborted > 500, JSON.stringify(ends));
  assert.equal(held.size, 0);
  assert.equal(near.calls.size, 0);
  assert.equal(far.runningCalls, 0);
  assert.deepEqual(closed, []);
});

test('the end of the session stops what runs for it', () => {
  const { near, far, farMethods } = connectedPeers();
  let stopped = 0;
  farMethods.addCall('hold', (_args, call) => {
    call?.signal.addEventListener('abort', () => stopped++);
    return new Promise(() => undefined);
  });
  for (let i = 0; i < 10; i++) near.request('hold', [], () => undefined);
  return new Promise<void>((resolve) => {
    setTimeout(() => {
      assert.equal(far.runningCalls, 10);
      far.lose(new Error('over'));
      assert.equal(stopped, 10);
      assert.equal(far.runningCalls, 0);
      resolve();
    }, 50);
  });
});

async function pass(turns: number): Promise<void> {
  for (let i = 0; i < turns; i++) await turn();
}

test.run();

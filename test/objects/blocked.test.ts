/** Functions handed to a blocking call are served while this thread is blocked, over every kind of link. */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type Connection, connect, connectPair } from '../../src/index.ts';
import { LINK_KINDS } from '../connection/link-kinds.ts';
import { startAgent, type TestAgent } from '../kit/agent.ts';
import { suite } from '../kit/suite.ts';

type Far = Record<string, (...args: unknown[]) => unknown>;

/** What the far side offers, defined there. */
const OFFERS = `
  namespace.twice = async (fn, x) => (await fn(x)) + (await fn(x + 1));
  namespace.later = async (fn, x) => { await new Promise((r) => setTimeout(r, 20)); return (await fn(x)) + 1; };
  namespace.keep = (fn) => { namespace.kept = fn; };
  namespace.callKept = async (x) => namespace.kept(x);
  namespace.caught = async (fn) => fn().catch((error) => error.code ?? error.message);
  namespace.plain = (x) => x;
  namespace.soon = (fn) => { setTimeout(() => fn('afterwards'), 50); return 'returned'; };
  namespace.collect = async (stream) => { let all = ''; for await (const part of stream) all += part; return all; };
  namespace.size = async (fn, n) => (await fn(new Uint8Array(n))).length;
  namespace.begin = (fn) => { fn('from the call itself'); return 'began'; };
  namespace.wait = async (promise) => promise;`;

for (const { name, listen, args = [], options = {}, dial = (url: string) => url } of LINK_KINDS) {
  if (name === 'ws by name' || name === 'masked ws') continue;
  const test = suite(`objects/blocked over ${name}`, { limit: 5000 });
  let agent: TestAgent;
  let conn: Connection;
  let far: Far;
  test.before(async () => {
    agent = await startAgent({ listen, args });
    conn = await connect(dial(agent.url), options);
    await conn.execute(OFFERS);
    far = conn.sync.namespace as unknown as Far;
  });
  test.after(async () => {
    await conn.close();
    await agent.stop();
  });

  test('a function is called and its value used, in the middle of the call', () => {
    const calls: unknown[] = [];
    const got = far['twice']?.((x: number) => {
      calls.push(x);
      return x * 10;
    }, 4);
    assert.equal(got, 90);
    assert.deepEqual(calls, [4, 5]);
    assert.equal(
      far['later']?.((x: number) => x * 2, 20),
      41,
    );
  });

  test('the function may itself make a blocking call, and so on', () => {
    const depth = (n: number): number =>
      n === 0 ? 0 : ((far['later'] as Far[string])(depth, n - 1) as number);
    assert.equal(depth(5), 5);
  });

  test('what the function throws is thrown where it was called', () => {
    const fail = (): never => {
      throw new RangeError('not that');
    };
    assert.equal(far['caught']?.(fail), 'not that');
    assert.throws(() => far['later']?.(fail), { name: 'RangeError', message: 'not that' });
  });

  test('one that was handed over before is served by the call that needs it', async () => {
    const seen: unknown[] = [];
    await conn.namespace['keep']?.((x: unknown) => {
      seen.push(x);
      return 'kept';
    });
    assert.equal(far['callKept']?.(7), 'kept');
    assert.deepEqual(seen, [7]);
  });

  test('large arguments and results', () => {
    assert.equal(
      far['size']?.((bytes: Uint8Array) => Buffer.alloc(bytes.length + 1), 3e6),
      3e6 + 1,
    );
  });

  test('a call that nobody waits for is served before the answer; one made later has the event loop', async () => {
    const seen: unknown[] = [];
    assert.equal(
      far['begin']?.((x: unknown) => void seen.push(x)),
      'began',
    );
    assert.deepEqual(seen, ['from the call itself']);
    const called = new Promise((resolve) => {
      assert.equal(far['soon']?.(resolve), 'returned');
    });
    // Nothing that has to do with it may be served in between.
    assert.equal(far['plain']?.(1), 1);
    assert.equal(await called, 'afterwards');
  });

  test('what would need the event loop is refused at once', async () => {
    const deadlock = { code: 'ERR_ELSEWHERE_SYNC_DEADLOCK' };
    assert.throws(() => far['later']?.(async (x: number) => x), {
      ...deadlock,
      message: /gave a promise.*use the form of the call that does not block/,
    });
    assert.equal(
      far['caught']?.(async () => 1),
      deadlock.code,
    );
    assert.throws(() => far['wait']?.(Promise.resolve(1)), {
      ...deadlock,
      message: /await it first/,
    });
    // Not the result itself, but a part of it.
    assert.throws(() => far['later']?.(() => ({ part: Promise.resolve(1) })), deadlock);
    assert.throws(() => far['later']?.(() => conn.eval('1')), deadlock);
    assert.throws(() => far['collect']?.(Readable.from(['a', 'b'])), deadlock);
    // Nothing of it stays.
    assert.equal(far['plain']?.(2), 2);
    assert.equal(await conn.eval('3'), 3);
  });

  test('what the function sends meanwhile arrives before its answer', async () => {
    const { util } = conn.sync.modules;
    // The far side hands over a function of its own, which is called back from here.
    const promised = util.promisify((value: string, done: (error: null, value: string) => void) => {
      done(null, `${value} and back`);
    }) as unknown as (value: string) => string;
    assert.equal(promised('there'), 'there and back');
    // The answer to what was sent meanwhile comes when the event loop turns again.
    await conn.ping();
  });

  test.run();
}

const pair = suite('objects/blocked in one thread');

pair('a far side in this very thread cannot wait for a function of this side', async () => {
  const { near, far } = await connectPair();
  await near.execute(
    'namespace.later = async (fn) => await fn(); namespace.call = (fn) => { fn(5); return 1; }',
  );
  const there = near.sync.namespace as unknown as Far;
  assert.throws(() => there['later']?.(() => 1), { code: 'ERR_ELSEWHERE_SYNC_DEADLOCK' });
  const seen: unknown[] = [];
  assert.equal(
    there['call']?.((x: unknown) => void seen.push(x)),
    1,
  );
  assert.deepEqual(seen, [5]);
  await near.close();
  await far.close();
});

pair('what is used in the blocking way alone is not given back', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const { near, far } = await connectPair();
  await near.execute('namespace.plain = (x) => x');
  const { plain } = near.sync.namespace as unknown as Far;
  for (let i = 0; i < 3; i++) {
    collect();
    await sleep(5);
  }
  assert.equal(plain?.(5), 5);
  await near.close();
  await far.close();
});

pair.run();

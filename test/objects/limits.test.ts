/** Calls that are given up: by a signal, by a deadline; what the far side then does, and what is left of them. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type Connection, connect, type ElsewhereError, timed, within } from '../../src/index.ts';
import { type Asking, ask } from '../../src/objects/limits.ts';
import { ObjectSession } from '../../src/objects/session.ts';
import { call, connectedPeers, type Peers } from '../connection/peers.ts';
import { startAgent, type TestAgent } from '../kit/agent.ts';
import { randomNumbers } from '../kit/random-numbers.ts';
import { suite } from '../kit/suite.ts';

const test = suite('objects/limits');
let agent: TestAgent;
let conn: Connection;

test.before(async () => {
  agent = await startAgent({ listen: 'tcp://127.0.0.1:0' });
  conn = await connect(agent.url);
});
test.after(async () => {
  await conn.close();
  await agent.stop();
});

/** Runs until it is stopped, and says why. */
const WORK = `new Promise((resolve, reject) => {
  namespace.working = true;
  signal.addEventListener('abort', () => {
    namespace.working = false;
    namespace.why = signal.reason.name;
    reject(signal.reason);
  });
})`;

async function stopped(): Promise<unknown> {
  while ((await conn.namespace['working']) !== false) await sleep(5);
  return conn.namespace['why'];
}

async function started(): Promise<void> {
  while ((await conn.namespace['working']) !== true) await sleep(5);
}

test('a signal rejects eval, execute and run at once, and stops what they do', async () => {
  for (const begin of [
    (signal: AbortSignal) => conn.eval(WORK, { signal }),
    (signal: AbortSignal) => conn.execute(`await ${WORK}`, { signal }),
    (signal: AbortSignal) =>
      conn.runWithin(
        { signal },
        new Function('work', 'return eval(work)') as (work: string) => Promise<void>,
        WORK.replaceAll('namespace', 'globalThis.place'),
      ),
  ]) {
    await conn.execute('globalThis.place = namespace; namespace.working = undefined');
    const controller = new AbortController();
    const working = begin(controller.signal);
    await started();
    const reason = new Error('not needed any more');
    controller.abort(reason);
    await assert.rejects(working, (error) => error === reason);
    // In one round trip: whatever is asked next finds it stopped.
    assert.equal(await conn.namespace['working'], false);
    assert.equal(await conn.namespace['why'], 'AbortError');
  }
});

test('a deadline is kept on both sides', async () => {
  await conn.execute('namespace.working = undefined');
  await assert.rejects(conn.eval(WORK, { timeout: 50 }), {
    code: 'ERR_ELSEWHERE_TIMEOUT',
    message: /50 ms/,
    maybeExecuted: true,
  });
  assert.match(String(await stopped()), /^(?:Timeout|Abort)Error$/);
});

test('a deadline that the far side is the first to notice is the same error', async () => {
  const began = performance.now();
  const failed = await new Promise((resolve) => {
    const port: Asking = {
      request: (_method, _args, done) => {
        setImmediate(() => {
          while (performance.now() - began < 40);
          done(new DOMException('The caller gave this operation 20 ms', 'TimeoutError'));
        });
        return 1;
      },
      cancel: () => {},
      hold: () => {},
      release: () => {},
    };
    ask(port, { timeout: 20 }, 'work', [], {
      done: (error) => resolve(error),
      gaveUp: resolve,
      late: () => {},
    });
  });
  assert.equal((failed as ElsewhereError).code, 'ERR_ELSEWHERE_TIMEOUT');
});

test('the far side keeps a deadline by itself', async () => {
  const peers = connectedPeers();
  let reason: unknown;
  peers.farMethods.addCall('work', (_args, incoming) => {
    const signal = incoming?.signal as AbortSignal;
    return new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => {
        reason = signal.reason;
        reject(reason);
      });
    });
  });
  const failed = new Promise((resolve) => peers.near.request('work', [], resolve, 20));
  assert.equal(((await failed) as Error).name, 'TimeoutError');
  assert.ok(reason instanceof DOMException);
});

test('with a signal that is aborted already nothing is sent', async () => {
  const { packetsSent } = conn.stats();
  const signal = AbortSignal.abort();
  await assert.rejects(conn.eval('1', { signal }), { name: 'AbortError', code: 20 });
  await assert.rejects(within(conn.modules.os, { signal }).hostname(), { name: 'AbortError' });
  await assert.rejects(conn.ping({ signal }), { name: 'AbortError' });
  assert.equal(conn.stats().packetsSent, packetsSent);
});

test('calls of modules and references have limits by within', async () => {
  const timers = conn.modules['timers/promises'];
  await assert.rejects(within(timers, { timeout: 20 }).setTimeout(10_000, 1), {
    code: 'ERR_ELSEWHERE_TIMEOUT',
  });
  assert.equal(await within(timers, { timeout: 5000 }).setTimeout(1, 'in time'), 'in time');
  const controller = new AbortController();
  const waiting = within(timers, { signal: controller.signal }).setTimeout(10_000, 1);
  controller.abort();
  await assert.rejects(waiting, { name: 'AbortError' });
  const later = await conn.teleport((ms: number) => new Promise((r) => setTimeout(r, ms, ms)), {
    timeout: 5000,
  });
  await assert.rejects(timed(later, 20)(10_000), { code: 'ERR_ELSEWHERE_TIMEOUT' });
  assert.equal(await later(1), 1);
  assert.throws(() => within({}, { timeout: 1 }), TypeError);
  assert.throws(() => within(later, { timeout: -1 }), TypeError);
});

test('AbortError and TimeoutError keep their class, name and code, both ways', async () => {
  for (const name of ['AbortError', 'TimeoutError', 'DataCloneError']) {
    const sent = new DOMException('told', name);
    const there = `(error) => [error instanceof DOMException, error.name, error.code, error.message]`;
    const seen = await conn.eval<(error: unknown) => unknown[]>(there);
    assert.deepEqual(await seen(sent), [true, name, sent.code, 'told']);
    const back = await conn.eval(`new DOMException('told', '${name}')`);
    assert.ok(back instanceof DOMException);
    assert.deepEqual([back.name, back.code, back.message], [name, sent.code, 'told']);
    assert.match(String(back.stack), /told/);
  }
  await assert.rejects(conn.eval('fetch("http://127.0.0.1:1", { signal: AbortSignal.abort() })'), {
    name: 'AbortError',
    code: 20,
  });
});

/** Both ends of objects, over peers in memory. */
function objectsOver({ near, far }: Peers): [ObjectSession, ObjectSession] {
  const [one, other] = [near, far].map(
    (peer) =>
      new ObjectSession({
        methods: peer.methods,
        description: 'peer',
        request: (method, args, done, timeout) => peer.request(method, args, done, timeout),
        cancel: (id) => peer.cancel(id),
        notify: (method, args) => peer.notify(method, args),
        hold: () => undefined,
        release: () => undefined,
      }),
  );
  return [one as ObjectSession, other as ObjectSession];
}

test('of 2,000 calls that were given up at random nothing is left on either side', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const peers = connectedPeers();
  const [near, far] = objectsOver(peers);
  const make = async (ms: number): Promise<() => number> => {
    if (ms > 0) await sleep(ms);
    return () => ms;
  };
  far.addRoot('root', { access: 'open', start: () => ({ value: { make }, used: 0 }) });
  const root = near.root('root') as { make(ms: number): Promise<() => number> };
  const random = randomNumbers(5);
  let given = 0;
  const attempt = async (): Promise<void> => {
    const controller = new AbortController();
    const made = within(root, { signal: controller.signal }).make(Math.floor(random() * 4));
    await sleep(random() * 8);
    controller.abort();
    await made.then(
      () => given++,
      (error: Error) => assert.equal(error.name, 'AbortError'),
    );
  };
  for (let round = 0; round < 40; round++) await Promise.all(Array.from({ length: 50 }, attempt));
  assert.ok(given > 0 && given < 2000, String(given));
  while (peers.near.calls.size > 0 || peers.far.runningCalls > 0) await sleep(1);
  peers.farMethods.addCall('small', () => 1);
  for (let i = 0; i < 200 && far.counts.handedOver > 0; i++) {
    collect();
    await sleep(5);
    await call(peers.near, 'small');
  }
  assert.deepEqual(far.counts, { held: 0, handedOver: 0 });
  assert.equal(near.counts.held, 0);
});

test('a member of a reference keeps it from being given back', async () => {
  const collect = runInNewContext('gc') as () => void;
  await conn.execute('namespace.A = class { add(x) { return x + 1; } }');
  const method = ((await conn.eval('new namespace.A()')) as { add(x: number): Promise<number> })
    .add;
  for (let i = 0; i < 5; i++) {
    collect();
    await sleep(5);
    await conn.ping();
  }
  assert.equal(await method(1), 2);
});

test.run();

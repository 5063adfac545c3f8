/** `currentScope().replace`: the article's `myserver.socket = c.modules.socket`, for one scope and undone. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Connection, connect, currentScope, withLocal, withRemote } from '../../src/index.ts';
import { startAgent, type TestAgent } from '../kit/agent.ts';
import { suite } from '../kit/suite.ts';

const test = suite('scope/replace', { limit: 15_000 });
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

/** A module that has captured what it uses. */
const myserver = { pid: () => process.pid, name: 'mine' };
const pid = (): number => myserver.pid();

test('a value for one scope, at the same time as others and the code outside', async () => {
  const before = Object.getOwnPropertyDescriptors(myserver);
  const inside = withRemote(conn, async () => {
    currentScope()?.replace(myserver, 'pid', () => conn.sync.global.process.pid);
    await sleep(5);
    assert.equal(pid(), agent.process.pid);
    assert.equal(withLocal(pid), process.pid);
    // A scope inside it has it too, or one of its own.
    withRemote(conn, { patches: ['fs'] }, () => {
      assert.equal(pid(), agent.process.pid);
      currentScope()?.replace(myserver, 'pid', () => 1);
      assert.equal(pid(), 1);
    });
    assert.equal(pid(), agent.process.pid);
    myserver.pid = () => 2;
    assert.equal(pid(), 2);
    await sleep(5);
  });
  const beside = withRemote(conn, async () => {
    currentScope()?.replace(myserver, 'pid', () => 7);
    await sleep(3);
    assert.equal(pid(), 7);
  });
  assert.equal(pid(), process.pid);
  myserver.name = 'changed';
  await Promise.all([inside, beside]);
  assert.deepEqual(Object.getOwnPropertyDescriptors(myserver), {
    ...before,
    name: { ...before.name, value: 'changed' },
  });
});

test('undone also when the function fails, at once or later; refused when it is over', async () => {
  const scope = withRemote(conn, currentScope);
  const replaced = (): void => currentScope()?.replace(myserver, 'pid', () => 3);
  assert.throws(
    () =>
      withRemote(conn, () => {
        replaced();
        throw new Error('at once');
      }),
    { message: 'at once' },
  );
  assert.equal(pid(), process.pid);
  await assert.rejects(
    withRemote(conn, async () => {
      await null;
      replaced();
      throw new Error('later');
    }),
    { message: 'later' },
  );
  assert.equal(Object.getOwnPropertyDescriptor(myserver, 'pid')?.get, undefined);
  assert.throws(() => scope?.replace(myserver, 'pid', () => 4), {
    code: 'ERR_ELSEWHERE_UNSUPPORTED',
  });
  withRemote(conn, () =>
    assert.throws(() => currentScope()?.replace(Object.freeze({ a: 1 as number }), 'a', 2), {
      code: 'ERR_ELSEWHERE_UNSUPPORTED',
    }),
  );
});

test('accessors and inherited members', () => {
  class Base {
    get kind(): string {
      return 'base';
    }
  }
  const object = new Base();
  withRemote(conn, () => {
    currentScope()?.replace(object, 'kind', 'replaced');
    assert.equal(object.kind, 'replaced');
    assert.equal(
      withLocal(() => object.kind),
      'base',
    );
  });
  assert.equal(object.kind, 'base');
  assert.deepEqual(Object.keys(object), []);
});

test.run();

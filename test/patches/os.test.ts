import assert from 'node:assert/strict';
import os, { hostname } from 'node:os';
import { OS_TABLE } from '../../patches/os.ts';
import { type Connection, connect, withRemote } from '../../src/index.ts';
import { startAgent, type TestAgent } from '../kit/agent.ts';
import { suite } from '../kit/suite.ts';

const test = suite('patches/os');
let agent: TestAgent;
let conn: Connection;

test.before(async () => {
  agent = await startAgent({
    prefix: ['env', 'HOME=/home/of/the/agent', 'TMPDIR=/tmp/of/the/agent'],
  });
  conn = await connect(agent.url);
});
test.after(async () => {
  await conn.close();
  await agent.stop();
});

test('each function answers as the far side does', async () => {
  for (const [name, where] of Object.entries(OS_TABLE)) {
    if (where !== 'remote' || !(name in os)) continue;
    if (['setPriority', 'uptime', 'freemem', 'loadavg', 'cpus'].includes(name)) continue;
    const there = await conn.eval(`os.${name}()`);
    const inScope = withRemote(conn, () =>
      (os as unknown as Record<string, () => unknown>)[name]?.(),
    );
    assert.deepEqual({ ...Object(inScope) }, { ...Object(there) }, name);
  }
});

test('its home and its directory for temporary files, also through an import taken earlier', () => {
  withRemote(conn, () => {
    assert.equal(os.homedir(), '/home/of/the/agent');
    assert.equal(os.tmpdir(), '/tmp/of/the/agent');
    assert.equal(`${os.tmpdir}`, '/tmp/of/the/agent');
    assert.equal(hostname(), conn.peer.hostname);
  });
  assert.notEqual(os.tmpdir(), '/tmp/of/the/agent');
});

test('wrong arguments are refused as Node does', () => {
  const outcome = (): unknown => {
    try {
      return os.getPriority('x' as never);
    } catch (error) {
      const { name, code, message } = error as NodeJS.ErrnoException;
      return { name, code, message };
    }
  };
  assert.deepEqual(withRemote(conn, outcome), outcome());
  const absent = (): unknown => {
    try {
      return os.setPriority(2 ** 22 + 1, 0);
    } catch (error) {
      const { name, code, message } = error as NodeJS.ErrnoException;
      return { name, code, message, info: (error as { info?: unknown }).info };
    }
  };
  assert.deepEqual(withRemote(conn, absent), absent());
});

test.run();

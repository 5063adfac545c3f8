/** The scope's rules for paths hold for unix sockets as for files. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Connection, connect, explain, withRemote } from '../../../src/index.ts';
import { startAgent, type TestAgent } from '../../kit/agent.ts';
import { suite } from '../../kit/suite.ts';

const test = suite('patches/net/unix-paths', { limit: 20_000 });
let agent: TestAgent;
let conn: Connection;
let here: string;

test.before(async () => {
  agent = await startAgent();
  conn = await connect(agent.url);
  here = mkdtempSync(join(tmpdir(), 'elsewhere-unix-'));
});
test.after(async () => {
  await conn.close();
  await agent.stop();
  rmSync(here, { recursive: true });
});

/** Who answers on a socket. */
async function said(path: string): Promise<string> {
  const socket = net.connect(path);
  const [bytes] = await once(socket, 'data');
  socket.destroy();
  return String(bytes);
}

async function listening(server: net.Server, path: string): Promise<net.Server> {
  server.listen(path);
  await once(server, 'listening');
  assert.equal(server.address(), path);
  return server;
}

/** Whoever has heard enough may be gone before the answer is. */
const greeter = (word: string): net.Server =>
  net.createServer((socket) => socket.on('error', () => undefined).end(word));

test('local, mapped and denied paths, for both ends', async () => {
  const local = join(here, 'local.sock');
  const paths = {
    local: [`${here}/*`],
    deny: ['/denied'],
    map: { '/mapped': agent.folder },
  };
  const [mine, theirs] = await withRemote(conn, { paths, stdio: 'local' }, async () => {
    const servers = [
      await listening(greeter('here'), local),
      await listening(greeter('there'), '/mapped/far.sock'),
    ];
    assert.equal(await said(local), 'here');
    assert.equal(await said('/mapped/far.sock'), 'there');
    assert.equal(await said(join(agent.folder, 'far.sock')), 'there');
    for (const start of [
      () => net.connect('/denied/x.sock'),
      () => net.createServer().listen('/denied/y'),
    ]) {
      const [error] = (await once(start(), 'error')) as [NodeJS.ErrnoException];
      assert.equal(error.code, 'EACCES');
      assert.match(error.message, /^(connect|listen) EACCES.* \/denied\/[xy]/);
      const { cause } = error as { cause?: { code?: string; message?: string } };
      assert.equal(cause?.code, 'ERR_ELSEWHERE_DENIED');
      assert.match(String(cause?.message), /rule "deny \/denied"/);
    }
    assert.equal(explain({ socketPath: local }).side, 'local');
    assert.equal(explain({ socketPath: '/denied/x' }).rule, 'deny /denied');
    return servers;
  });
  assert.ok(existsSync(local));
  assert.equal(await said(local), 'here');
  // One machine plays both here: the server of the mapped path is the agent's.
  assert.equal(await said(join(agent.folder, 'far.sock')), 'there');
  for (const server of [mine, theirs]) server?.close();
});

test.run();

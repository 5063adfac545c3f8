/** Connections over streams of the program's own. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { type AddressInfo, createServer, connect as dial, type Socket } from 'node:net';
import { type Connection, connect, serve, withRemote } from '../../src/index.ts';
import { cliFile } from '../kit/agent.ts';
import { suite } from '../kit/suite.ts';

const test = suite('session/streams', { limit: 30_000 });

function startChild() {
  const child = spawn(process.execPath, [cliFile, 'serve', '--stdio'], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  return { child, streams: { input: child.stdout, output: child.stdin } };
}

async function moves(conn: Connection): Promise<void> {
  const file = fs.mkdtempSync('/tmp/elsewhere-streams-');
  const large = Buffer.alloc(3_000_000, 'large');
  await withRemote(conn, { except: ['stdio'] }, async () => {
    await fs.promises.writeFile(`${file}/x`, large);
    assert.ok((await fs.promises.readFile(`${file}/x`)).equals(large));
    assert.throws(() => fs.statSync(file), {
      code: 'ERR_ELSEWHERE_SYNC_DEADLOCK',
      message: /streams .* moved by this thread/,
    });
    assert.ok((await fs.promises.stat(file)).isDirectory());
  });
  fs.rmSync(file, { recursive: true });
}

test('two streams: an agent that ends with them', async () => {
  const { child, streams } = startChild();
  const conn = await connect(streams);
  assert.notEqual(conn.peer.pid, process.pid);
  await moves(conn);
  await conn.close();
  assert.deepEqual(await once(child, 'exit'), [0, null]);
});

test('a Duplex on both sides', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const near = dial((server.address() as AddressInfo).port, '127.0.0.1');
  const [far] = (await once(server, 'connection')) as [Socket];
  server.close();
  await using agent = await serve({ listen: far });
  const conn = await connect(near);
  assert.equal(agent.connections.length, 1);
  await moves(conn);
  const gone = once(far, 'end');
  await conn.close();
  await gone;
});

test('streams that end lose the connection, and what is pending', async () => {
  const { child, streams } = startChild();
  const conn = await connect(streams);
  const lost = new Promise((resolve) => conn.on('lost', resolve));
  const pending = conn.eval('new Promise(() => undefined)');
  child.kill('SIGKILL');
  await assert.rejects(pending, { code: 'ERR_ELSEWHERE_CONNECTION_LOST' });
  await lost;
  await conn.closed;
});

test('streams that are over, or lead to no agent, are told', async () => {
  const { child, streams } = startChild();
  child.kill('SIGKILL');
  await once(child, 'close');
  await assert.rejects(connect(streams, { timeout: 5000 }), (error: { code: string }) =>
    ['ERR_ELSEWHERE_CONNECTION_LOST', 'ERR_ELSEWHERE_CONNECT'].includes(error.code),
  );
  const echo = spawn('cat', { stdio: ['pipe', 'pipe', 'ignore'] });
  await assert.rejects(connect({ input: echo.stdout, output: echo.stdin }, { timeout: 500 }), {
    code: 'ERR_ELSEWHERE_TIMEOUT',
  });
  echo.kill();
});

test.run();

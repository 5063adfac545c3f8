/** `expose` where each client has a process of its own. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { connect, expose, serve } from '../../src/index.ts';
import { startAgent } from '../kit/agent.ts';
import { listensOn } from '../kit/socket-owner.ts';
import { suite } from '../kit/suite.ts';

const test = suite('service/isolated-expose', { limit: 20_000 });

test('a port that is published from an isolated client is that process’s, and goes with it', async () => {
  const agent = await startAgent({ args: ['--isolate'] });
  const [one, other] = await Promise.all([connect(agent.url), connect(agent.url)]);
  const near = net
    .createServer((socket) => socket.on('error', () => undefined).end('from here'))
    .listen(0, '127.0.0.1');
  await once(near, 'listening');
  const { port: to } = near.address() as AddressInfo;
  const dial = (port: number): Promise<string> => text(net.connect(port, '127.0.0.1'));
  const [first, second] = await Promise.all([expose(one, { to }), expose(other, { to })]);
  assert.ok(listensOn(one.peer.pid, first.port) && listensOn(other.peer.pid, second.port));
  assert.equal(await dial(first.port), 'from here');
  process.kill(one.peer.pid, 'SIGKILL');
  await first.closed;
  assert.equal(await dial(second.port), 'from here');
  await second.close();
  await assert.rejects(dial(second.port), { code: 'ECONNREFUSED' });
  await other.close();
  near.close();
  await agent.stop();
});

test('a blocking call to an agent of the same thread is refused here too', async () => {
  const server = await serve({ isolate: 'process' });
  const conn = await connect(server.url);
  assert.throws(() => conn.sync.modules.os.hostname(), { code: 'ERR_ELSEWHERE_SYNC_DEADLOCK' });
  await conn.close();
  await server.close();
});

test.run();

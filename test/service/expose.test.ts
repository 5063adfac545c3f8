// A port of this machine, published on the far side.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { type Connection, connect, expose } from '../../src/index.ts';
import { startAgent, type TestAgent } from '../kit/agent.ts';
import { listensOn } from '../kit/socket-owner.ts';
import { suite } from '../kit/suite.ts';

const test = suite('service/expose', { limit: 15_000 });
let agent: TestAgent;
let conn: Connection;
let service: net.Server;
let port: number;

test.before(async () => {
  agent = await startAgent();
  conn = await connect(agent.url);
  service = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    let heard = '';
    socket.setEncoding('utf8').on('data', (data) => (heard += data));
    socket.on('end', () => socket.end(`heard ${heard.length}`));
  });
  service.listen(0, '127.0.0.1');
  await once(service, 'listening');
  port = (service.address() as AddressInfo).port;
});
test.after(async () => {
  await conn.close();
  await agent.stop();
  service.close();
});

test('what connects over there reaches the port here, both ways and half-open', async () => {
  const exposed = await expose(conn, { to: port });
  assert.equal(exposed.host, '127.0.0.1');
  assert.ok(listensOn(agent.process.pid ?? 0, exposed.port), 'who listens');
  const client = net.connect(exposed.port, exposed.host);
  client.end('x'.repeat(3_000_000));
  assert.equal(await text(client), 'heard 3000000');
  await exposed.close();
  const late = net.connect(exposed.port, exposed.host);
  assert.equal(
    ((await once(late, 'error').catch((error) => [error]))[0] as NodeJS.ErrnoException).code,
    'ECONNREFUSED',
  );
});

test('a target that is not there resets the connection, and the port stays', async () => {
  const exposed = await expose(conn, { to: { host: '127.0.0.1', port: 1 } });
  for (let round = 0; round < 2; round++) {
    const client = net.connect(exposed.port, exposed.host);
    const [error] = (await once(client, 'error')) as [NodeJS.ErrnoException];
    assert.equal(error.code, 'ECONNRESET');
  }
  await exposed.close();
});

test('fails as listen fails, and says what it needs', async () => {
  await assert.rejects(expose(conn, { to: port, remotePort: port }), {
    code: 'EADDRINUSE',
    syscall: 'listen',
  });
  await assert.rejects(expose(conn, {} as { to: number }), { code: 'ERR_ELSEWHERE_ARGUMENT' });
});

test('ends with its signal, and with the connection', async () => {
  const stop = new AbortController();
  const exposed = await expose(conn, { to: port, signal: stop.signal });
  stop.abort();
  await exposed.closed;
  const other = await connect(agent.url);
  const second = await expose(other, { to: port });
  await other.close();
  await second.closed;
});

test.run();

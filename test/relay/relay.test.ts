// Agents that dial out, and clients that reach them by name through a relay.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net, { type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import {
  type Connection,
  connect,
  type Relay,
  serve,
  serveRelay,
  withRemote,
} from '../../src/index.ts';
import { cliFile, elsewhere, startAgent, type TestAgent } from '../kit/agent.ts';
import { suite } from '../kit/suite.ts';
import { startEcho } from '../proxy/stage.ts';

const test = suite('relay/relay', { limit: 60_000, fileLimit: 180_000 });
let relay: Relay;
let agent: TestAgent;
let conn: Connection;

test.before(async () => {
  relay = await serveRelay();
  agent = await startAgent({ args: ['--relay', relay.url, '--name', 'far one', '--classic'] });
  conn = await connect(agent.url);
});
test.after(async () => {
  await conn.close();
  await agent.stop();
  await relay.close();
});

const portOf = (url: string): number => Number(new URL(url.replace(/^\w+/, 'http')).port);

test('files, blocking calls and sockets of an agent that listens nowhere, by the command line', async () => {
  const command = spawn(process.execPath, [cliFile, 'relay'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(command.stdout.setEncoding('utf8'), 'data')) as [string];
  const far = await startAgent({ args: ['--relay', line.trim(), '--name', 'far one'] });
  assert.match(far.url, /^relay:\/\/127\.0\.0\.1:\d+\/far%20one#[\w-]+&[\w-]+$/);
  fs.writeFileSync(join(far.folder, 'there.txt'), 'over there');
  const echo = await startEcho();
  const other = await connect(far.url);
  await withRemote(other, { stdio: 'local' }, async () => {
    assert.equal(await fs.promises.readFile('there.txt', 'utf8'), 'over there');
    assert.equal(fs.readFileSync('there.txt', 'utf8'), 'over there');
    const socket = net.connect({ port: echo.port, host: '127.0.0.1', allowHalfOpen: true });
    socket.end('x'.repeat(2_000_000));
    assert.equal((await text(socket)).length, 2_000_000);
  });
  await other.close();
  echo.server.close();
  assert.equal((await elsewhere(['ping', far.url, '--count', '1'])).code, 0);
  await far.stop();
  command.kill();
  assert.deepEqual(await once(command, 'exit'), [0, null]);
});

test('both tokens are checked, and names belong to who has them', async () => {
  const [start = '', tokens = ''] = agent.url.split('#');
  const [own = '', theirs = ''] = tokens.split('&');
  const wrong = 'x'.repeat(43);
  await assert.rejects(connect(`${start}#${own}&${wrong}`), {
    code: 'ERR_ELSEWHERE_AUTH',
    message: 'the relay has another token',
  });
  await assert.rejects(connect(`${start}#${wrong}&${theirs}`), { code: 'ERR_ELSEWHERE_AUTH' });
  await assert.rejects(connect(agent.url.replace('far%20one', 'nobody')), {
    code: 'ERR_ELSEWHERE_CONNECT',
    message: /no agent named "nobody" is at this relay/,
  });
  await assert.rejects(serve({ relay: { url: relay.url, name: 'far one' } }), {
    code: 'ERR_ELSEWHERE_CONNECT',
    message: /another agent has the name "far one"/,
  });
  await assert.rejects(
    serve({ relay: { url: relay.url.replace(/#.*/, `#${wrong}`), name: 'x' } }),
    {
      code: 'ERR_ELSEWHERE_AUTH',
    },
  );
  await assert.rejects(serve({ relay: { url: 'tcp://127.0.0.1:1', name: 'x' } }), {
    code: 'ERR_ELSEWHERE_ARGUMENT',
  });
  await assert.rejects(serveRelay({ listen: 'relay://0.0.0.0:0' }), {
    code: 'ERR_ELSEWHERE_DENIED',
  });
  await assert.rejects(serveRelay({ token: 'short' }), {
    code: 'ERR_ELSEWHERE_ARGUMENT',
    message: /shorter than 16 characters: leave it out/,
  });
});

test('a name is free again when its agent has gone', async () => {
  const options = { relay: { url: relay.url, name: 'short-lived' } };
  const first = await serve(options);
  await first.close();
  while (relay.names.includes('short-lived'))
    await new Promise((resolve) => setTimeout(resolve, 5));
  const second = await serve(options);
  const other = await connect(second.url);
  // Others than this machine may reach it: no code unless it is asked for.
  await assert.rejects(other.eval('1'), { code: 'ERR_ELSEWHERE_DENIED' });
  await other.close();
  await second.close();
});

test('a relay that is lost: the agent dials it again, sessions go on where they were', async () => {
  const port = portOf(relay.url);
  const echo = await startEcho();
  const socket = withRemote(conn, { patches: ['net'] }, () => net.connect(echo.port, '127.0.0.1'));
  await once(socket, 'connect');
  const { token } = relay;
  await relay.close();
  socket.write('sent while there is no relay');
  await new Promise((resolve) => setTimeout(resolve, 300));
  relay = await serveRelay({ listen: `relay://127.0.0.1:${port}`, token });
  const [data] = (await once(socket, 'data')) as [Buffer];
  assert.equal(String(data), 'sent while there is no relay');
  assert.equal(await conn.eval('1 + 1'), 2);
  socket.destroy();
  echo.server.close();
});

test('a client that does not read stops the agent’s source', async () => {
  let sent = 0;
  const source = net.createServer((socket) => {
    socket.on('error', () => undefined);
    const push = (): void => {
      while (socket.write(Buffer.alloc(65_536))) sent += 65_536;
      sent += 65_536;
    };
    socket.on('drain', push);
    push();
  });
  source.listen(0, '127.0.0.1');
  await once(source, 'listening');
  const { port } = source.address() as AddressInfo;
  const socket = withRemote(conn, { patches: ['net'] }, () => net.connect(port, '127.0.0.1'));
  let before = -1;
  while (before !== sent || sent === 0) {
    before = sent;
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  assert.ok(sent < 40_000_000, `${sent} bytes were sent to nobody`);
  socket.destroy();
  source.close();
});

test('a blocking call by a relay, or to an agent, of this very thread is refused', async () => {
  const deadlock = { code: 'ERR_ELSEWHERE_SYNC_DEADLOCK', message: /of its own/ };
  const read = (to: Connection): string =>
    withRemote(to, { patches: ['fs'] }, () => fs.readFileSync('/etc/hostname', 'utf8'));
  assert.throws(() => read(conn), deadlock);
  for (const scheme of ['tcp', 'ws']) {
    const own = await serve({ listen: `${scheme}://127.0.0.1:0` });
    const near = await connect(own.url);
    assert.throws(() => read(near), deadlock);
    assert.throws(() => near.sync.modules.os.hostname(), deadlock);
    // Nothing is lost by it.
    assert.equal(await near.eval('1 + 1'), 2);
    await near.close();
    await own.close();
  }
});

test('what is no introduction is turned away, and the relay stays', async () => {
  for (const words of [
    'GET / HTTP/1.1\r\n\r\n',
    'x'.repeat(10_000),
    '[]\n',
    '{"role":"agent"}\n',
  ]) {
    const socket = net.connect(portOf(relay.url), '127.0.0.1');
    socket.on('error', () => undefined);
    const closed = once(socket, 'close');
    socket.resume().write(words);
    await closed;
  }
  assert.ok(relay.names.includes('far one'));
});

test.run();

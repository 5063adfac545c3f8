// What cannot be done with a remote socket is refused with a clear error; Node itself would crash or hang.
import assert from 'node:assert/strict';
import { fork, spawn } from 'node:child_process';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type ConnectionPair, connectPair, withRemote } from '../../../src/index.ts';
import { repository, runProgram } from '../../kit/agent.ts';
import { suite } from '../../kit/suite.ts';

const test = suite('patches/net guards');

let pair: ConnectionPair;
let server: net.Server;
let client: net.Socket;

test.before(async () => {
  pair = await connectPair();
  server = net.createServer((peer) => peer.pipe(peer)).listen(0, '127.0.0.1');
  await once(server, 'listening');
});
test.after(async () => {
  server.close();
  await pair.near.close();
  await pair.far.close();
});
test.before.each(async () => {
  const { port } = server.address() as net.AddressInfo;
  client = withRemote(pair.near, () => net.connect(port, '127.0.0.1'));
  await once(client, 'connect');
});
test.after.each(() => void client.destroy());

async function stillWorks(): Promise<void> {
  client.write('ping');
  const [data] = (await once(client, 'data')) as [Buffer];
  assert.equal(String(data), 'ping');
}

test('is not sent to a child process', async () => {
  const script = path.join(tmpdir(), `elsewhere-guards-${process.pid}.cjs`);
  await writeFile(script, 'process.on("message", () => process.disconnect());');
  const child = fork(script);
  assert.throws(() => child.send('here', client), {
    code: 'ERR_ELSEWHERE_UNSUPPORTED',
    message: /sent to a child process/,
  });
  await stillWorks();
  child.send('no socket');
  await once(child, 'exit');
});

test('is not the stdio of a child process', async () => {
  assert.throws(() => spawn(process.execPath, ['-v'], { stdio: ['ignore', client, 'ignore'] }), {
    code: 'ERR_ELSEWHERE_UNSUPPORTED',
    message: /stdio of a child process/,
  });
  await stillWorks();
});

test('is not moved to another thread', async () => {
  const { port1 } = new MessageChannel();
  assert.throws(() => port1.postMessage(client, [client] as unknown as never[]));
  port1.close();
});

test('servers and datagram sockets neither', async () => {
  const script = path.join(tmpdir(), `elsewhere-guards-${process.pid}-2.cjs`);
  await writeFile(script, 'process.on("message", () => process.disconnect());');
  const far = withRemote(pair.near, { stdio: 'local' }, () => ({
    server: net.createServer().listen(0, '127.0.0.1'),
    datagrams: dgram.createSocket('udp4').bind(0, '127.0.0.1'),
  }));
  await Promise.all([once(far.server, 'listening'), once(far.datagrams, 'listening')]);
  const child = fork(script);
  for (const handle of [far.server, far.datagrams]) {
    assert.throws(() => child.send('here', handle), { code: 'ERR_ELSEWHERE_UNSUPPORTED' });
    assert.throws(() => new MessageChannel().port1.postMessage(handle, [handle as never]));
  }
  assert.throws(
    () =>
      spawn(process.execPath, ['-e', '0'], { stdio: ['ignore', far.server as never, 'ignore'] }),
    { code: 'ERR_ELSEWHERE_UNSUPPORTED' },
  );
  child.send('nothing more');
  await once(child, 'exit');
  // Both are what they were.
  const visitor = net.connect((far.server.address() as net.AddressInfo).port, '127.0.0.1');
  const [taken] = (await once(far.server, 'connection')) as [net.Socket];
  taken.destroy();
  visitor.on('error', () => undefined).destroy();
  far.server.close();
  far.datagrams.close();
});

test('a worker of a cluster is told that it cannot share a port of the far side, and goes on', async () => {
  const script = path.join(repository, 'build', `guards-cluster-${process.pid}.mjs`);
  const program = `
    import cluster from 'node:cluster';
    import net from 'node:net';
    import { connectPair, withRemote } from 'elsewhere';
    if (cluster.isPrimary) {
      cluster.fork().on('message', (told) => console.log(told)).on('exit', (code) => console.log(code));
    } else {
      const pair = await connectPair();
      let told = 'nothing';
      try {
        withRemote(pair.near, { stdio: 'local' }, () => net.createServer().listen(0, '127.0.0.1'));
      } catch (error) {
        told = error.code + ' ' + error.message;
      }
      process.send(told);
      await pair.near.close();
      await pair.far.close();
      process.disconnect();
    }`;
  await writeFile(script, program);
  const { stdout, stderr, code } = await runProgram(process.execPath, [script]);
  await rm(script);
  assert.equal(code, 0, stderr);
  const [told, exit] = stdout.trim().split('\n');
  assert.match(told ?? '', /^ERR_ELSEWHERE_UNSUPPORTED .*workers of a cluster.*withLocal\(\)/);
  assert.equal(exit, '0');
});

test.run();

// What diagnostics channels and --trace tell of a connection.
import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import { inspect } from 'node:util';
import { connectPair, withRemote } from '../../src/index.ts';
import type {
  CallMessage,
  ResumeMessage,
  StreamMessage,
} from '../../src/session/observed-session.ts';
import { elsewhere, startAgent } from '../kit/agent.ts';
import { suite } from '../kit/suite.ts';
import { onStage } from '../session/stage.ts';

const test = suite('service/observed', { limit: 20_000 });

async function heard<T>(name: string, work: () => Promise<unknown>): Promise<T[]> {
  const messages: T[] = [];
  const listen = (message: unknown): void => void messages.push(message as T);
  subscribe(name, listen);
  await work();
  unsubscribe(name, listen);
  return messages;
}

test('console.log shows which connection it is, and asks nobody', async () => {
  const { near } = await connectPair();
  const { packetsSent } = near.stats();
  const shown = inspect(near);
  assert.match(shown, /^Connection \{/);
  for (const fact of [near.id, "'up'", near.peer.hostname, String(process.pid)])
    assert.ok(shown.includes(fact), shown);
  assert.ok(shown.length < 200);
  assert.equal(near.stats().packetsSent, packetsSent);
  await near.close();
  assert.match(inspect(near), /closed/);
});

test('each call is told when it has ended: what was asked, what came of it, how long it took', async () => {
  const { near } = await connectPair();
  const calls = await heard<CallMessage>('elsewhere:call', async () => {
    await withRemote(near, () => fs.promises.stat('/'));
    withRemote(near, () => fs.existsSync('/'));
    await assert.rejects(withRemote(near, () => fs.promises.readlink('/nowhere')));
  });
  assert.deepEqual(
    calls.map(({ method, blocking, error }) => [method, blocking, (error as Error)?.message]),
    [
      ['fs.stat', false, undefined],
      ['fs.exists', true, undefined],
      ['fs.readlink', false, "ENOENT: no such file or directory, readlink '/nowhere'"],
    ],
  );
  for (const { session, milliseconds, args } of calls) {
    assert.equal(session, near.id);
    assert.ok(milliseconds > 0 && milliseconds < 5000);
    assert.ok(args.includes('/') || args.includes('/nowhere'));
  }
  await near.close();
});

test('a subscriber that prints in a scope makes no call of it', async () => {
  const { near } = await connectPair();
  let told = 0;
  const calls = await heard<CallMessage>('elsewhere:call', async () => {
    const listen = (): void => {
      fs.existsSync('/');
      told++;
    };
    subscribe('elsewhere:call', listen);
    await withRemote(near, () => fs.promises.stat('/'));
    unsubscribe('elsewhere:call', listen);
  });
  assert.deepEqual([calls.length, told], [1, 1]);
  await near.close();
});

test('streams are told when they open and when they are over', async () => {
  const { near } = await connectPair();
  const server = net.createServer((socket) => socket.end('x')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  const streams = await heard<StreamMessage>('elsewhere:stream', async () => {
    const socket = withRemote(near, () => net.connect(port, '127.0.0.1'));
    socket.resume();
    await once(socket, 'close');
    while (near.stats().streams > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  });
  assert.deepEqual(
    streams.map(({ method, state, error }) => [method, state, error]),
    [
      ['net.connect', 'open', undefined],
      ['net.connect', 'closed', undefined],
    ],
  );
  assert.equal(streams[0]?.stream, streams[1]?.stream);
  server.close();
  await near.close();
});

test('stats tell of round trips, frames and handles', async () => {
  const { near } = await connectPair();
  for (let i = 0; i < 3; i++) await near.ping();
  const path = await near.import('node:path');
  const { roundTrips, framesSent, framesReceived, handles, windowStalls } = near.stats();
  assert.equal(
    roundTrips.reduce((sum, [, count]) => sum + count, 0),
    3,
  );
  assert.ok(roundTrips.every(([most], i) => most > (roundTrips[i - 1]?.[0] ?? 0)));
  assert.ok(framesSent >= 4 && framesReceived >= 4);
  assert.deepEqual([handles, windowStalls], [{ held: 1, handedOver: 0 }, 0]);
  assert.ok(path);
  await near.close();
});

test('stats tell how often a stream waited for its reader', async () => {
  const { near } = await connectPair();
  const server = net.createServer((socket) => void socket.on('error', () => undefined).pause());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as net.AddressInfo;
  const socket = withRemote(near, () => net.connect(port, '127.0.0.1'));
  const block = Buffer.alloc(1 << 20);
  while (near.stats().windowStalls === 0) {
    socket.write(block);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  socket.destroy();
  server.close();
  await near.close();
});

test('a pause is told, and its end', () =>
  onStage('tcp', {}, async ({ chaos, conn }) => {
    const pauses = await heard<ResumeMessage>('elsewhere:resume', async () => {
      const up = new Promise((resolve) => conn.on('up', resolve));
      chaos.cut();
      await up;
    });
    assert.deepEqual(
      pauses.map(({ state }) => state),
      ['down', 'up'],
    );
    assert.ok((pauses[1]?.milliseconds ?? 0) > 0);
    assert.match(pauses[0]?.error?.message ?? '', /connection to the agent was lost/);
  }));

test('run --trace prints a line for each remote operation, wherever standard error goes', async () => {
  const agent = await startAgent();
  fs.writeFileSync(`${agent.folder}/file`, 'text');
  const source = `require('fs').readFileSync('file');
    try { require('fs').statSync('nowhere') } catch {}
    console.error('said');`;
  for (const stdio of ['local', 'remote']) {
    const flags = ['--on', agent.url, '--trace', '--stdio', stdio];
    const { stderr, code } = await elsewhere([
      'run',
      ...flags,
      '--',
      process.execPath,
      '-e',
      source,
    ]);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^elsewhere: fs\.\w+\(.*file'.*\) = .* <\d+\.\d\d ms>$/m);
    assert.match(stderr, /^elsewhere: fs\.stat\(.*nowhere'.*\) = ENOENT <\d+\.\d\d ms>$/m);
    assert.equal(stderr.includes('\nsaid\n'), stdio === 'local');
  }
  await agent.stop();
});

test.run();

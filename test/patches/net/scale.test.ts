// Many sockets over one connection: those that connect, those that never do, those that nobody reads.
import assert from 'node:assert/strict';
import dns from 'node:dns/promises';
import { once, setMaxListeners } from 'node:events';
import fs from 'node:fs/promises';
import net, { type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Connection, connect, withRemote } from '../../../src/index.ts';
import { startAgent, type TestAgent } from '../../kit/agent.ts';
import { type Blackhole, blackhole } from '../../kit/blackhole.ts';
import { socketsOf } from '../../kit/socket-owner.ts';
import { suite } from '../../kit/suite.ts';

const test = suite('patches/net scale', { limit: 30_000 });
const MB = 1024 * 1024;
let agent: TestAgent;
let conn: Connection;
let hole: Blackhole;

test.before(async () => {
  [agent, hole] = await Promise.all([startAgent({ listen: 'tcp://127.0.0.1:0' }), blackhole()]);
  conn = await connect(agent.url);
});
test.after(async () => {
  hole.stop();
  await conn.close();
  await agent.stop();
});

const inScope = <R>(fn: () => R): R => withRemote(conn, { except: ['stdio'] }, fn);
const agentSockets = (): number => socketsOf(agent.process.pid ?? 0);

async function listening(serve: (socket: Socket) => void): Promise<net.Server> {
  const server = net.createServer(serve).listen({ port: 0, host: '127.0.0.1', backlog: 2000 });
  await once(server, 'listening');
  return server;
}

async function until(done: () => boolean): Promise<void> {
  while (!done()) await sleep(10);
}

test('a thousand connect at once, each with its own bytes, and nothing of them stays', async () => {
  const server = await listening((socket) => socket.on('error', () => undefined).pipe(socket));
  const { port } = server.address() as AddressInfo;
  const base = agentSockets();
  const echoed = async (at: number): Promise<void> => {
    const socket = net.connect(port, '127.0.0.1');
    const sent = Buffer.alloc(1000, `${at} `);
    socket.end(sent);
    const back: Buffer[] = [];
    for await (const chunk of socket) back.push(chunk as Buffer);
    assert.ok(Buffer.concat(back).equals(sent), `socket ${at}`);
  };
  await inScope(() => Promise.all(Array.from({ length: 1000 }, (_, at) => echoed(at))));
  await until(() => conn.stats().streams === 0);
  await until(() => agentSockets() === base);
  server.close();
});

test('two hundred that never connect are in nobody’s way, and go when they are let go', async () => {
  const base = agentSockets();
  const cut = new AbortController();
  setMaxListeners(200, cut.signal);
  const attempts = inScope(() =>
    Array.from({ length: 200 }, () =>
      new net.Socket({ signal: cut.signal })
        .on('error', () => undefined)
        .connect(hole.port, '127.0.0.1'),
    ),
  );
  await until(() => agentSockets() >= base + 200);
  const waiting = (): number => attempts.filter(({ connecting }) => connecting).length;
  assert.ok(waiting() >= 190, `${waiting()} are under way`);
  // What uses the threads of Node's pool over there, and a connection, are done before any of them gives up.
  const server = await listening((socket) => socket.end('here'));
  await inScope(async () => {
    await fs.writeFile('proof', Buffer.alloc(MB));
    assert.equal((await fs.readFile('proof')).length, MB);
    await assert.rejects(dns.lookup('no..name'), { code: 'ENOTFOUND' });
    const socket = net.connect((server.address() as AddressInfo).port, '127.0.0.1');
    assert.equal(String((await once(socket, 'data'))[0]), 'here');
  });
  assert.ok(waiting() >= 190);
  cut.abort();
  await until(() => agentSockets() === base);
  server.close();
});

test('fifty downloads that nobody reads stop their sources, and one beside them goes on', async () => {
  const sent: number[] = [];
  const block = Buffer.alloc(65_536);
  const server = await listening((socket) => {
    const at = sent.push(0) - 1;
    const push = (): void => {
      for (let room = true; room; sent[at] = (sent[at] ?? 0) + block.length)
        room = socket.write(block);
    };
    socket.on('error', () => undefined).on('drain', push);
    push();
  });
  const { port } = server.address() as AddressInfo;
  const dial = (): Socket => net.connect(port, '127.0.0.1');
  const stalled = inScope(() => Array.from({ length: 50 }, () => dial().pause()));
  const total = (): number => sent.reduce((sum, each) => sum + each, 0);
  let before = -1;
  while (before !== total() || sent.length < 50) {
    before = total();
    await sleep(300);
  }
  // Here and over there: what is not in the kernel's buffers of two sockets.
  const held = stalled.reduce((sum, socket) => sum + socket.readableLength, 0);
  assert.ok(held <= 50 * 2 * MB, `${held / MB} MB lie here`);
  assert.ok(conn.stats().bytesReceived < 50 * 3 * MB + 40 * MB);
  const moving = inScope(dial);
  let taken = 0;
  for await (const chunk of moving as AsyncIterable<Buffer>)
    if (taken > 32 * MB) break;
    else taken += chunk.length;
  for (const socket of stalled) socket.destroy();
  await until(() => conn.stats().streams === 0);
  server.close();
});

test.run();

/**
 * `npm run soak [-- PART…]`: whether memory stays bounded where one side is slow or silent, and how much of it the agent
 * needs: slow, frozen, idle, calls. SECONDS=60 sets how long slow and frozen take. connects: how long the event loops of
 * both sides are held up by many attempts to connect.
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Connection, connect, withRemote } from '../../src/index.ts';
import { startAgent, type TestAgent } from '../kit/agent.ts';
import { blackhole } from '../kit/blackhole.ts';

const MB = 1 << 20;
/** What either side may grow by. */
const MOST_GROWTH = 64 * MB;
const MOST_IDLE = 100_000;
const IDLE = 1000;
const CALLS = 1_000_000;
const RATE = MB;
const seconds = Number(process.env['SECONDS'] ?? 60);
let failed = false;

/** Resident bytes of a process. */
function resident(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) * 1024;
}

/** Tells a figure and whether it is within its limit. */
function tell(what: string, value: number, limit: number): void {
  const over = value > limit;
  failed ||= over;
  const text = (bytes: number): string =>
    bytes >= 10 * MB ? `${(bytes / MB).toFixed(0)} MB` : `${(bytes / 1000).toFixed(1)} KB`;
  console.log(`${over ? 'OVER' : 'ok  '} ${what}: ${text(value)} (at most ${text(limit)})`);
}

/** Most that this process and the agent grew by while `work` went on. */
async function growth(name: string, agent: TestAgent, work: () => Promise<string>): Promise<void> {
  const pids = { here: process.pid, there: agent.process.pid ?? 0 };
  const before = { here: resident(pids.here), there: resident(pids.there) };
  const most = { ...before };
  const look = setInterval(() => {
    for (const side of ['here', 'there'] as const)
      most[side] = Math.max(most[side], resident(pids[side]));
  }, 50);
  const said = await work();
  clearInterval(look);
  for (const side of ['here', 'there'] as const)
    tell(`${name}, ${said}, growth ${side}`, most[side] - before[side], MOST_GROWTH);
}

async function withAgent(
  scheme: 'tcp' | 'ws',
  work: (agent: TestAgent, conn: Connection) => Promise<void>,
): Promise<void> {
  const agent = await startAgent({ listen: `${scheme}://127.0.0.1:0` });
  const conn = await connect(agent.url);
  try {
    await work(agent, conn);
  } finally {
    agent.process.kill('SIGCONT');
    await conn.close();
    await agent.stop();
  }
}

/** A server that sends without end, as fast as it is read. */
async function source(): Promise<net.Server> {
  const block = Buffer.alloc(65_536);
  const server = net.createServer((socket) => {
    const fill = (): void => {
      while (socket.write(block));
    };
    socket.on('drain', fill).on('error', () => undefined);
    fill();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return server;
}

const portOf = (server: net.Server): number => (server.address() as net.AddressInfo).port;

/** Takes 1 MB/s of what never ends. */
async function slow(): Promise<void> {
  await withAgent('tcp', async (agent, conn) => {
    const server = await source();
    await growth('a consumer of 1 MB/s', agent, async () => {
      const socket = withRemote(conn, () => net.connect(portOf(server), '127.0.0.1'));
      const began = performance.now();
      let taken = 0;
      for await (const chunk of socket as AsyncIterable<Buffer>) {
        taken += chunk.length;
        const elapsed = performance.now() - began;
        if (elapsed > seconds * 1000) break;
        await sleep(Math.max(0, (taken / RATE) * 1000 - elapsed));
      }
      return `${(taken / MB).toFixed(0)} MB in ${seconds} s`;
    });
    server.close();
  });
}

/** Sends, as fast as it may, to an agent that is stopped. */
async function frozen(): Promise<void> {
  await withAgent('tcp', async (agent, conn) => {
    const sink = net.createServer((socket) => socket.on('error', () => undefined).resume());
    await once(sink.listen(0, '127.0.0.1'), 'listening');
    await growth('a sender to a frozen agent', agent, async () => {
      const sockets = withRemote(conn, () =>
        Array.from({ length: 10 }, () => net.connect(portOf(sink), '127.0.0.1')),
      );
      const until = performance.now() + seconds * 1000;
      let sent = 0;
      const send = async (socket: net.Socket): Promise<void> => {
        // A listener for each wait would be there for long.
        let wake: (() => void) | undefined;
        // The connection is closed while much is still to be sent.
        socket.on('drain', () => wake?.()).on('error', () => undefined);
        const drained = (): Promise<unknown> =>
          Promise.race([new Promise<void>((resolve) => (wake = resolve)), sleep(1000)]);
        for (const block = Buffer.alloc(65_536); performance.now() < until; sent += block.length)
          while (!socket.write(block) && socket.writableNeedDrain && performance.now() < until)
            await drained();
      };
      const sending = sockets.map(send);
      await sleep(1000);
      agent.process.kill('SIGSTOP');
      const before = sent;
      await Promise.all(sending);
      return `${((sent - before) / MB).toFixed(0)} MB more taken in ${seconds} s`;
    });
    agent.process.kill('SIGCONT');
    sink.close();
  });
}

async function idle(): Promise<void> {
  for (const scheme of ['tcp', 'ws'] as const) {
    await withAgent(scheme, async (agent) => {
      const connections: Connection[] = [];
      const open = async (count: number): Promise<void> => {
        for (let i = 0; i < count; i += 20)
          connections.push(
            ...(await Promise.all(Array.from({ length: 20 }, () => connect(agent.url)))),
          );
        await sleep(1000);
      };
      // What the first ones cost is code and pools, not they.
      await open(100);
      const before = resident(agent.process.pid ?? 0);
      await open(IDLE);
      const each = (resident(agent.process.pid ?? 0) - before) / IDLE;
      tell(`an idle connection over ${scheme}`, each, MOST_IDLE);
      await Promise.all(connections.map((connection) => connection.close()));
    });
  }
}

async function calls(): Promise<void> {
  await withAgent('ws', async (agent, conn) => {
    const some = async (count: number): Promise<number> => {
      await Promise.all(Array.from({ length: 1000 }, () => oneByOne(conn, count / 1000)));
      return resident(agent.process.pid ?? 0);
    };
    // After as many the heap has the size that so much at once needs.
    const before = [await some(CALLS), await used(conn)] as const;
    const after = [await some(CALLS), await used(conn)] as const;
    const grown = (i: 0 | 1): number => Math.max(0, after[i] - before[i]);
    tell(`growth of the agent over ${CALLS} calls`, grown(0), 8 * MB);
    tell('of which it uses', grown(1), MB / 2);
  });
}

/** Bytes that the agent's program can still reach. */
function used(conn: Connection): Promise<number> {
  return conn.eval(`(() => {
    const { setFlagsFromString } = process.getBuiltinModule('v8');
    setFlagsFromString('--expose-gc');
    process.getBuiltinModule('vm').runInNewContext('gc')();
    return process.memoryUsage().heapUsed;
  })()`);
}

function oneByOne({ channel }: Connection, count: number): Promise<void> {
  return new Promise((resolve) => {
    let left = count;
    const next = (): void =>
      void (left-- === 0 ? resolve() : channel.request('session.ping', [], next));
    next();
  });
}

/** Milliseconds that the event loops may be held up, in 99 of 100 samples. */
const MOST_DELAY = 20;

/** 200 connects to where nobody answers, then 1000 to where somebody does. */
async function connects(): Promise<void> {
  await withAgent('tcp', async (_agent, conn) => {
    const hole = await blackhole();
    const server = net.createServer((socket) => socket.pipe(socket));
    await once(server.listen({ port: 0, host: '127.0.0.1', backlog: 2000 }), 'listening');
    const dial = (port: number): net.Socket =>
      withRemote(conn, () => net.connect(port, '127.0.0.1').on('error', () => undefined));
    const held = async (what: string, limit: number, work: () => Promise<void>): Promise<void> => {
      await conn.execute(
        'namespace.delay = process.getBuiltinModule("node:perf_hooks").monitorEventLoopDelay({ resolution: 1 }); namespace.delay.enable()',
      );
      const here = monitorEventLoopDelay({ resolution: 1 });
      here.enable();
      await work();
      const there = Number(await conn.eval('namespace.delay.percentile(99)'));
      for (const [side, ns] of [
        ['here', here.percentile(99)],
        ['there', there],
      ] as const) {
        const over = ns / 1e6 > limit;
        failed ||= over;
        console.log(`${over ? 'OVER' : 'ok  '} ${what}, p99 ${side}: ${(ns / 1e6).toFixed(1)} ms`);
      }
    };
    await held('nothing', Number.POSITIVE_INFINITY, () => sleep(2000));
    await held('200 connects into a blackhole', MOST_DELAY, async () => {
      const attempts = Array.from({ length: 200 }, () => dial(hole.port));
      await sleep(2000);
      for (const socket of attempts) socket.destroy();
    });
    await held('1000 connects at once', Number.POSITIVE_INFINITY, async () => {
      const { port } = server.address() as net.AddressInfo;
      const all = Array.from({ length: 1000 }, () => dial(port));
      await Promise.all(all.map((socket) => once(socket, 'connect')));
      for (const socket of all) socket.destroy();
    });
    server.close();
    hole.stop();
  });
}

const parts: Readonly<Record<string, () => Promise<void>>> = {
  slow,
  frozen,
  idle,
  calls,
  connects,
};
const wanted = process.argv.slice(2);
for (const [name, part] of Object.entries(parts))
  if (wanted.length === 0 || wanted.includes(name)) await part();
process.exitCode = failed ? 1 : 0;

/** Small calls beside a transfer that takes all it can: on loopback, and on a link whose rate is known. */
import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Connection, connect, withRemote } from 'elsewhere';
import type { Run } from './benchmark.ts';
import { median, type Sample, summary } from './rounds.ts';
import type { Stage } from './stage.ts';

/** Of the link, and milliseconds one way. */
export const RATE = 20e6;
export const DELAY = 10;

export type Transfer = (conn: Connection, count: (bytes: number) => void) => Promise<() => void>;

/** A target in the agent's own process: sends without end to who asks with a byte 0, and takes what comes after a byte 1. */
export const TARGET = `
  const chunk = Buffer.alloc(262144);
  const server = require('node:net').createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', (first) => {
      if (first[0] === 1) { globalThis.taken = 0; return socket.on('data', (more) => { globalThis.taken += more.length; }); }
      const feed = () => { while (socket.write(chunk)); };
      socket.on('drain', feed);
      feed();
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  namespace.port = server.address().port;`;

export async function dial(conn: Connection): Promise<net.Socket> {
  const port = (await conn.namespace['port']) as number;
  const socket = withRemote(conn, { patches: ['net'] }, () => net.connect(port, '127.0.0.1'));
  await once(socket, 'connect');
  return socket;
}

export const down: Transfer = async (conn, count) => {
  const socket = await dial(conn);
  socket.on('data', (chunk) => count(chunk.length));
  socket.write(Buffer.of(0));
  return () => socket.destroy();
};

/** An agent behind a link of RATE and DELAY. */
export async function behindLink(stage: Stage, url: string): Promise<string> {
  const there = new URL(url);
  const args = [there.port, String(RATE), String(DELAY)];
  there.port = String((await stage.peer<number>('shaped-link', args)).ready);
  return there.href;
}

export async function pings(conn: Connection, seconds: number): Promise<number[]> {
  const times: number[] = [];
  const until = performance.now() + seconds * 1000;
  while (performance.now() < until) {
    times.push(await conn.ping());
    if (seconds > 0.5) await sleep(1);
  }
  return times;
}

export async function beside(run: Run): Promise<void> {
  const agent = await run.stage.agent('tcp');
  await measure(run, agent.url, 'loopback');
  await measure(
    run,
    await behindLink(run.stage, agent.url),
    `${RATE / 1e6} MB/s and ${2 * DELAY} ms`,
  );
}

async function measure({ stage, rounds, report }: Run, url: string, place: string): Promise<void> {
  const conn = await connect(url);
  stage.defer(() => conn.close());
  await conn.execute(TARGET);
  const [idle, busy, rates]: [number[][], number[][], number[]] = [[], [], []];
  for (let round = 0; round < rounds; round++) {
    process.stderr.write(`bench: small calls beside a download, ${place}: ${round + 1}\n`);
    idle.push(await pings(conn, 1));
    let bytes = 0;
    const stop = await down(conn, (count) => (bytes += count));
    await sleep(1000);
    bytes = 0;
    const began = performance.now();
    busy.push(await pings(conn, 2));
    rates.push(bytes / (performance.now() - began) / 1000);
    stop();
    await sleep(300);
  }
  const figures = (share: number, goal: string): void => {
    const name = share === 0.5 ? 'median' : 'p99';
    const title = `a small call beside a download, ${place}, ${name}, goal ${goal}`;
    const samples = new Map([
      ['idle', idle.map((times) => sample(at(times, share) * 1e6))],
      ['beside', busy.map((times) => sample(at(times, share) * 1e6))],
    ]);
    report(summary(title, 'ms', samples));
  };
  if (place !== 'loopback') figures(0.5, '0.5x');
  figures(0.99, '0.33x');
  const base = place === 'loopback' ? median(rates) : RATE / 1e6;
  const name = place === 'loopback' ? 'its own median' : 'the link';
  const samples = new Map([
    [name, rates.map(() => sample(1e9 / base))],
    ['the download', rates.map((rate) => sample(1e9 / rate))],
  ]);
  report(
    summary(`the download beside small calls, ${place}, goal 0.9x of a link`, 'MB/s', samples),
  );
}

function sample(ns: number): Sample {
  return { ns, cpu: undefined };
}

function at(times: number[], share: number): number {
  times.sort((a, b) => a - b);
  return times[Math.floor(times.length * share)] ?? Number.NaN;
}

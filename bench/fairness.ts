/**
 * Small calls beside a transfer that takes the whole link, and streams beside one whose reader is stalled.
 * `node build/bench/fairness.js [loopback|link|stalled]…`
 */
import { promises as fs } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Connection, connect, withRemote } from 'elsewhere';
import { behindLink, dial, down, pings, RATE, TARGET, type Transfer } from './beside.ts';
import { type Scheme, Stage } from './stage.ts';

const SECONDS = 3;

const up: Transfer = async (conn, count) => {
  const socket = await dial(conn);
  const chunk = Buffer.alloc(262_144);
  const feed = (): void => {
    // `written` is called when the bytes have left; what has arrived is told at the end.
    while (!socket.destroyed && socket.write(chunk));
  };
  socket.on('drain', feed);
  socket.write(Buffer.of(1));
  feed();
  const timer = setInterval(async () => {
    const taken = (await conn.eval('[globalThis.taken, (globalThis.taken = 0)][0]')) as number;
    count(taken);
  }, 100);
  return () => {
    clearInterval(timer);
    socket.destroy();
  };
};

const file: Transfer = async (conn, count) => {
  let over = false;
  const read = async (): Promise<void> => {
    while (!over) {
      const bytes = await withRemote(conn, { patches: ['fs'] }, () => fs.readFile('large'));
      count(bytes.length);
    }
  };
  const reading = read();
  return () => {
    over = true;
    reading.catch(() => undefined);
  };
};

function percentiles(times: number[]): string {
  times.sort((a, b) => a - b);
  const at = (p: number): string => (times[Math.floor(times.length * p)] ?? 0).toFixed(2);
  return `p50 ${at(0.5)} p99 ${at(0.99)} (${times.length})`;
}

async function compare(
  name: string,
  conn: Connection,
  transfer: Transfer,
  limit?: number,
): Promise<void> {
  const idle = await pings(conn, 1);
  let bytes = 0;
  const stop = await transfer(conn, (count) => (bytes += count));
  await sleep(1000);
  bytes = 0;
  const began = performance.now();
  const busy = await pings(conn, SECONDS);
  const rate = bytes / ((performance.now() - began) / 1000);
  stop();
  await sleep(500);
  const share = limit === undefined ? '' : ` = ${((rate / limit) * 100).toFixed(0)} %`;
  console.log(
    `${name.padEnd(16)} idle ms ${percentiles(idle)}; beside ${(rate / 1e6).toFixed(1)} MB/s${share}: ${percentiles(busy)}`,
  );
}

async function agentAt(stage: Stage, scheme: Scheme): Promise<{ url: string; folder: string }> {
  const agent = await stage.agent(scheme);
  await fs.writeFile(join(agent.folder, 'large'), Buffer.alloc(64e6));
  return agent;
}

async function loopback(stage: Stage): Promise<void> {
  for (const scheme of ['tcp', 'ws'] as const) {
    const { url } = await agentAt(stage, scheme);
    const conn = await connect(url);
    await conn.execute(TARGET);
    for (const [name, transfer] of Object.entries({ down, up, file }))
      await compare(`${scheme} ${name}`, conn, transfer);
    await conn.close();
  }
}

async function link(stage: Stage): Promise<void> {
  for (const scheme of ['tcp', 'ws'] as const) {
    const { url } = await agentAt(stage, scheme);
    const conn = await connect(await behindLink(stage, url));
    await conn.execute(TARGET);
    for (const [name, transfer] of Object.entries({ down, up, file }))
      await compare(`link ${scheme} ${name}`, conn, transfer, RATE);
    await conn.close();
  }
}

/** MB/s of 99 streams, with and without a hundredth that nobody reads. */
async function stalled(stage: Stage): Promise<void> {
  const { url } = await agentAt(stage, 'tcp');
  const conn = await connect(url);
  await conn.execute(TARGET);
  const measure = async (withStalled: boolean): Promise<number> => {
    let bytes = 0;
    const stops: (() => void)[] = [];
    if (withStalled) {
      const socket = await dial(conn);
      socket.write(Buffer.of(0));
      socket.pause();
      stops.push(() => socket.destroy());
    }
    for (let i = 0; i < 99; i++) stops.push(await down(conn, (count) => (bytes += count)));
    await sleep(500);
    bytes = 0;
    await sleep(SECONDS * 1000);
    const rate = bytes / SECONDS / 1e6;
    for (const stop of stops) stop();
    await sleep(500);
    return rate;
  };
  const ratios: number[] = [];
  for (let round = 0; round < 3; round++) {
    const free = await measure(false);
    const beside = await measure(true);
    ratios.push(beside / free);
    console.log(
      `99 streams: ${free.toFixed(0)} MB/s; beside a stalled one ${beside.toFixed(0)} MB/s`,
    );
  }
  console.log(`ratio, median: ${ratios.sort((a, b) => a - b)[1]?.toFixed(2)}`);
  await conn.close();
}

const parts = { loopback, link, stalled };
const wanted = process.argv.slice(2);
const stage = new Stage();
for (const [name, part] of Object.entries(parts))
  if (wanted.length === 0 || wanted.includes(name)) await part(stage);
await stage.close();

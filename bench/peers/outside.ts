/** Times functions outside any scope: `outside.js MODE SCALE`. Its standard output is /dev/null. */
import { once } from 'node:events';
import fs from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { connectPair, install, withRemote } from 'elsewhere';

export type OutsideMode = 'plain' | 'installed' | 'used' | 'open';
/** Nanoseconds for each operation. */
export type OutsideTimes = Readonly<Record<string, number>>;

const [mode, given] = process.argv.slice(2);
const scale = Number(given) / 1000;
const REPEATS = 5;

async function prepare(): Promise<void> {
  if (mode === 'plain') return;
  install();
  if (mode === 'installed') return;
  const { near } = await connectPair();
  await withRemote(near, () => fs.promises.stat('/'));
  if (mode === 'used') await near.close();
}

/** The least of some repetitions, each long enough to be told from noise. */
async function time(count: number, work: (count: number) => unknown): Promise<number> {
  const times = Math.max(1, Math.round(count * scale));
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i <= REPEATS; i++) {
    const start = process.hrtime.bigint();
    const pending = work(times);
    if (pending instanceof Promise) await pending;
    best = Math.min(best, Number(process.hrtime.bigint() - start) / times);
  }
  return best;
}

function repeated(one: () => unknown): (count: number) => void {
  return (count) => {
    for (let i = 0; i < count; i++) one();
  };
}

async function connectAndClose(count: number): Promise<void> {
  const server = createServer((socket) => socket.on('error', () => undefined).resume());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  for (let i = 0; i < count; i++) {
    await new Promise<void>((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.on('connect', () => socket.destroy());
      socket.on('close', () => resolve());
    });
  }
  await new Promise((resolve) => server.close(resolve));
}

async function awaiting(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await undefined;
}

async function measure(): Promise<OutsideTimes> {
  const zero = fs.openSync('/dev/zero', 'r');
  const byte = Buffer.alloc(1);
  return {
    'fs.statSync': await time(
      20_000,
      repeated(() => fs.statSync('/')),
    ),
    'fs.existsSync': await time(
      20_000,
      repeated(() => fs.existsSync('/')),
    ),
    'fs.readSync of 1 byte': await time(
      50_000,
      repeated(() => fs.readSync(zero, byte, 0, 1, null)),
    ),
    'process.cwd': await time(
      200_000,
      repeated(() => process.cwd()),
    ),
    'process.stdout.write to /dev/null': await time(
      10_000,
      repeated(() => process.stdout.write('x')),
    ),
    'console.log to /dev/null': await time(
      10_000,
      repeated(() => console.log('x')),
    ),
    'fs.promises.stat': await time(2000, async (count) => {
      for (let i = 0; i < count; i++) await fs.promises.stat('/');
    }),
    'socket, connect and close': await time(300, connectAndClose),
    await: await time(200_000, awaiting),
  };
}

await prepare();
const times = await measure();
process.once('disconnect', () => process.exit());
process.send?.(times);

/** `elsewhere proxy` beside `ssh -L` and `ssh -D`: on loopback, and over a link of 50 ms there and back. */
import type { Benchmark, Run } from './benchmark.ts';
import { waysTo } from './proxy-ways.ts';
import type { Contestant } from './rounds.ts';
import { connectOften, download, echo, upload, type Way, type Work } from './sockets.ts';

/** Of the long link: MB/s, and milliseconds one way. */
const RATE = 20;
const DELAY = 25;
const STREAMS = 100;

export const proxy: Benchmark = {
  name: 'proxy',
  title:
    'elsewhere proxy (-L and --socks, tcp and tls) beside ssh -L and ssh -D, near and 50 ms away',
  async run(run) {
    await near(run);
    await away(run);
  },
};

function contestants(ways: readonly Way[], ops: number, work: Work): Contestant[] {
  return ways.map((way) => ({ name: way.name, ops, pids: way.pids, run: () => work(way) }));
}

async function target(run: Run, size: number): Promise<{ port: number; pid: number }> {
  const { ready, pid } = await run.stage.peer<number>('socket-target', [String(size)]);
  return { port: ready, pid };
}

async function near(run: Run): Promise<void> {
  const megabytes = run.scaled(64);
  const size = megabytes * 1e6;
  const ways = await waysTo(run, await target(run, size), async (port) => port);
  const contest = (name: string, unit: 'us' | 'MB/s', ops: number, work: Work): Promise<void> =>
    run.compete({ name: `proxy: ${name}`, unit, contestants: contestants(ways, ops, work) });
  const [pings, dials] = [run.scaled(500), run.scaled(100)];
  await contest('1-byte echo', 'us', pings, (way) => echo(way, pings));
  await contest(`${megabytes} MB up`, 'MB/s', megabytes, (way) => upload(way, size));
  await contest(`${megabytes} MB down`, 'MB/s', megabytes, (way) => download(way, size));
  await contest('connect and first byte', 'us', dials, (way) => connectOften(way, dials));
  const small = await waysTo(run, await target(run, size / STREAMS), async (port) => port);
  await run.compete({
    name: `proxy: ${STREAMS} streams at once, ${megabytes} MB down together`,
    unit: 'MB/s',
    contestants: contestants(small, megabytes, (way) => manyAtOnce(way, size / STREAMS)),
  });
}

async function manyAtOnce(way: Way, size: number): Promise<void> {
  await Promise.all(Array.from({ length: STREAMS }, () => download(way, size)));
}

async function away(run: Run): Promise<void> {
  const megabytes = run.scaled(40);
  const size = megabytes * 1e6;
  const link = async (port: number): Promise<number> => {
    const args = [String(port), String(RATE * 1e6), String(DELAY)];
    return (await run.stage.peer<number>('shaped-link', args)).ready;
  };
  const ways = await waysTo(run, await target(run, size), link);
  const contest = (name: string, unit: 'ms' | 'MB/s', ops: number, work: Work): Promise<void> =>
    run.compete({
      name: `proxy, ${RATE} MB/s and ${2 * DELAY} ms: ${name}`,
      unit,
      contestants: contestants(ways, ops, work),
    });
  const few = run.scaled(10);
  await contest('1-byte echo', 'ms', few, (way) => echo(way, few));
  await contest(`${megabytes} MB up`, 'MB/s', megabytes, (way) => upload(way, size));
  await contest(`${megabytes} MB down`, 'MB/s', megabytes, (way) => download(way, size));
  await contest('connect and first byte', 'ms', few, (way) => connectOften(way, few));
}

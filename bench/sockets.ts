/** A TCP socket through the agent, through `ssh -L`, through the least that Node can put between, and direct. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { withRemote } from 'elsewhere';
import type { Benchmark, Run } from './benchmark.ts';
import type { Contestant } from './rounds.ts';
import { startSshd } from './sshd.ts';

/** One way to the target. */
export interface Way {
  readonly name: string;
  readonly pids: readonly number[];
  dial(): Promise<Socket>;
}

export type Work = (way: Way) => Promise<void>;

export const sockets: Benchmark = {
  name: 'sockets',
  title: 'a proxied socket (ping, bulk, connect) beside ssh -L and a direct socket',
  async run(run) {
    const megabytes = run.scaled(64);
    const size = megabytes * 1e6;
    const target = await run.stage.peer<number>('socket-target', [String(size)]);
    const ways = await allWays(run, target.ready, target.pid);
    const contestants = (ops: number, work: Work): Contestant[] =>
      ways.map((way) => ({ name: way.name, ops, pids: way.pids, run: () => work(way) }));
    const pings = run.scaled(1000);
    await run.compete({
      name: 'socket: 1-byte echo',
      unit: 'us',
      contestants: contestants(pings, (way) => echo(way, pings)),
    });
    await run.compete({
      name: `socket: ${megabytes} MB up`,
      unit: 'MB/s',
      contestants: contestants(megabytes, (way) => upload(way, size)),
    });
    await run.compete({
      name: `socket: ${megabytes} MB down`,
      unit: 'MB/s',
      contestants: contestants(megabytes, (way) => download(way, size)),
    });
    const dials = run.scaled(200);
    await run.compete({
      name: 'socket: connect and first byte',
      unit: 'us',
      contestants: contestants(dials, (way) => connectOften(way, dials)),
    });
  },
};

async function allWays({ stage, note }: Run, port: number, target: number): Promise<Way[]> {
  const ways: Way[] = [];
  const sshd = await startSshd(stage, note);
  if (sshd !== undefined) {
    const forward = await sshd.forward(port);
    const pids = [...forward.pids, target];
    ways.push({ name: 'ssh -L, aes128-gcm', pids, dial: () => dial(forward.port) });
  }
  ways.push({ name: 'direct', pids: [target], dial: () => dial(port) });
  const relay = await stage.peer<number>('socket-relay', [String(port)]);
  ways.push({ name: 'a pipe of Node', pids: [relay.pid, target], dial: () => dial(relay.ready) });
  for (const scheme of ['tcp', 'ws', 'unix'] as const) {
    const { connection, pids } = await stage.link(scheme);
    ways.push({
      name: `elsewhere ${scheme}`,
      pids: [...pids, target],
      dial: () => withRemote(connection, () => dial(port)),
    });
  }
  return ways;
}

export async function dial(port: number): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  await once(socket, 'connect');
  return socket;
}

export async function echo(way: Way, times: number): Promise<void> {
  const socket = await way.dial();
  await new Promise<void>((resolve, reject) => {
    let left = times;
    socket.on('error', reject);
    socket.on('data', () => {
      left--;
      if (left === 0) resolve();
      else socket.write('e');
    });
    socket.write('e');
  });
  await ended(socket);
}

export async function upload(way: Way, size: number): Promise<void> {
  const socket = await way.dial();
  const block = Buffer.alloc(64 * 1024, 7);
  const counted = once(socket, 'data');
  socket.write('u');
  for (let left = size; left > 0; left -= block.length) {
    const room = socket.write(left >= block.length ? block : block.subarray(0, left));
    if (!room) await once(socket, 'drain');
  }
  await counted;
  await ended(socket);
}

export async function download(way: Way, size: number): Promise<void> {
  const socket = await way.dial();
  await new Promise<void>((resolve, reject) => {
    let left = size;
    socket.on('error', reject);
    socket.on('data', (bytes) => {
      left -= bytes.length;
      if (left === 0) resolve();
    });
    socket.write('d.');
  });
  await ended(socket);
}

export async function connectOften(way: Way, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    const socket = await way.dial();
    socket.write('e');
    await once(socket, 'data');
    await ended(socket);
  }
}

async function ended(socket: Socket): Promise<void> {
  const closed = once(socket, 'close');
  socket.destroy();
  await closed;
}

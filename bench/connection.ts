/** The goals of the connection, each beside what it is measured by: the last column of a table says how often as fast. */
import { createBirpc } from 'birpc';
import { withRemote } from 'elsewhere';
import { startAgent } from '../test/kit/agent.ts';
import { authority, tlsArguments } from '../test/kit/certificates.ts';
import type { Benchmark, Run } from './benchmark.ts';
import { beside } from './beside.ts';
import { type Caller, capnweb, contestant, dial, IN_FLIGHT, request, wsEcho } from './calls.ts';
import type { BirpcApi } from './peers/birpc.ts';
import type { Contestant } from './rounds.ts';
import * as sockets from './sockets.ts';
import { startSshd } from './sshd.ts';
import type { Link, Stage } from './stage.ts';
import { awaited, blocking } from './sync.ts';

export const connection: Benchmark = {
  name: 'connection',
  title:
    'the goals of the connection: calls, payloads, relayed sockets, blocking calls, calls beside a transfer, each as a ratio',
  async run(run) {
    await small(run);
    await large(run);
    await relayed(run);
    await blocked(run);
    await beside(run);
  },
};

async function small({ stage, scaled, compete }: Run): Promise<void> {
  const links = { ws: await stage.link('ws'), tcp: await stage.link('tcp') };
  const ours = Object.entries(links).map(([scheme, link]): Caller => {
    const call = request(link.connection);
    return { name: `elsewhere ${scheme}`, call, pids: link.pids, many: 40_000 };
  });
  const rivals = {
    echo: await wsEcho(stage),
    capnweb: await capnweb(stage),
    birpc: await birpc(stage),
  };
  const few = scaled(2000);
  const sequential = (title: string, base: Caller): Promise<void> =>
    compete({
      name: title,
      unit: 'us',
      contestants: [base, ...ours].map((caller) => contestant(caller, few, 1)),
    });
  await sequential('call, goal 1.0x', rivals.echo);
  await sequential('call, goal 3x', rivals.capnweb);
  const pipelined = (title: string, base: Caller): Promise<void> =>
    compete({
      name: title,
      unit: 'per s',
      contestants: [base, ...ours].map((caller) =>
        contestant(caller, scaled(caller.many), IN_FLIGHT),
      ),
    });
  await pipelined('1,000 calls in flight, goal 30x', rivals.capnweb);
  await pipelined('1,000 calls in flight, goal 15x', rivals.birpc);
}

async function birpc(stage: Stage): Promise<Caller> {
  const { ready, pid } = await stage.peer<number>('birpc');
  const socket = await dial(stage, ready);
  const remote = createBirpc<BirpcApi>(
    {},
    {
      post: (text) => socket.send(text),
      on: (receive) => void socket.on('message', (data) => receive(String(data))),
      serialize: JSON.stringify,
      deserialize: JSON.parse,
    },
  );
  return { name: 'birpc', call: (done) => void remote.ping().then(done), pids: [pid], many: 8000 };
}

/** There and back. */
async function large({ stage, scaled, compete }: Run): Promise<void> {
  const bytes = new Uint8Array(1e6);
  const rival = await capnweb(stage);
  const ops = scaled(20);
  const often = async (echo: () => PromiseLike<unknown>): Promise<void> => {
    for (let i = 0; i < ops; i++) await echo();
  };
  const contestants: Contestant[] = [
    { name: rival.name, ops, pids: rival.pids, run: () => often(() => rival.api.echo(bytes)) },
  ];
  for (const scheme of ['ws', 'tcp'] as const) {
    const { connection, pids } = await stage.link(scheme);
    const echo = await connection.teleport((value: Uint8Array) => value);
    contestants.push({
      name: `elsewhere ${scheme}`,
      ops,
      pids,
      run: () => often(() => echo(bytes) as PromiseLike<unknown>),
    });
  }
  await compete({ name: '1 MB there and back, goal 5x', unit: 'ms', contestants });
}

async function relayed(run: Run): Promise<void> {
  const { stage, scaled, compete, note } = run;
  const megabytes = scaled(64);
  const size = megabytes * 1e6;
  const target = await stage.peer<number>('socket-target', [String(size)]);
  const sshd = await startSshd(stage, note);
  if (sshd === undefined) return;
  const forward = await sshd.forward(target.ready);
  const ways: sockets.Way[] = [
    {
      name: 'ssh -L, aes128-gcm',
      pids: [...forward.pids, target.pid],
      dial: () => sockets.dial(forward.port),
    },
  ];
  const links = { tcp: await stage.link('tcp'), tls: await tlsLink(stage) };
  for (const [scheme, { connection, pids }] of Object.entries(links))
    ways.push({
      name: `elsewhere ${scheme}`,
      pids: [...pids, target.pid],
      dial: () => withRemote(connection, () => sockets.dial(target.ready)),
    });
  const contestants = (ops: number, work: sockets.Work): Contestant[] =>
    ways.map((way) => ({ name: way.name, ops, pids: way.pids, run: () => work(way) }));
  const bulk = 'goal 2.4x plain, 1.2x tls';
  await compete({
    name: `${megabytes} MB up, ${bulk}`,
    unit: 'MB/s',
    contestants: contestants(megabytes, (way) => sockets.upload(way, size)),
  });
  await compete({
    name: `${megabytes} MB down, ${bulk}`,
    unit: 'MB/s',
    contestants: contestants(megabytes, (way) => sockets.download(way, size)),
  });
  const pings = scaled(1000);
  await compete({
    name: 'ping through a socket, goal 1.5x',
    unit: 'us',
    contestants: contestants(pings, (way) => sockets.echo(way, pings)),
  });
  const dials = scaled(200);
  await compete({
    name: 'connect and first byte, goal 1.8x',
    unit: 'us',
    contestants: contestants(dials, (way) => sockets.connectOften(way, dials)),
  });
}

async function tlsLink(stage: Stage): Promise<Link> {
  const starting = startAgent({ listen: 'tls://127.0.0.1:0', args: tlsArguments() });
  stage.defer(async () => (await starting).stop());
  return stage.connect(await starting, { tls: { ca: authority } });
}

/** The goal is 1.1 times the time of the awaited call. */
async function blocked({ stage, scaled, compete }: Run): Promise<void> {
  const ops = scaled(2000);
  for (const scheme of ['unix', 'tcp'] as const) {
    const { connection, pids } = await stage.link(scheme);
    const contestants: Contestant[] = [
      { name: 'awaited stat', ops, pids, run: () => awaited(connection, ops) },
      { name: 'statSync', ops, pids, run: () => blocking(connection, ops) },
    ];
    await compete({ name: `a blocking call over ${scheme}, goal 0.91x`, unit: 'us', contestants });
  }
}

/** The ways to a target that the proxy benchmark compares: direct, by ssh, by `elsewhere proxy`, with a port or by SOCKS. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { cliFile, startAgent, type TestAgent } from '../test/kit/agent.ts';
import { certificateFiles, tlsArguments } from '../test/kit/certificates.ts';
import type { Run } from './benchmark.ts';
import { dial, type Way } from './sockets.ts';
import { type Sshd, startSshd } from './sshd.ts';
import { endProcess, type Stage } from './stage.ts';

/** A port that leads to `port`, the same or by a link that is long. */
export type Link = (port: number) => Promise<number>;

export async function waysTo(
  run: Run,
  target: { port: number; pid: number },
  link: Link,
): Promise<Way[]> {
  const { stage, note } = run;
  const here = await link(target.port);
  const way = (name: string, pids: readonly number[], open: () => Promise<Socket>): Way => ({
    name,
    pids: [...pids, target.pid],
    dial: open,
  });
  const ways = [way('direct', [], () => dial(here))];
  const sshd = await startSshd(stage, note);
  if (sshd !== undefined) ways.push(...(await sshWays(sshd, link, target.port, way)));
  for (const scheme of ['tcp', 'tls'] as const) {
    const { agent, pid, port, socks } = await elsewhereProxy(stage, scheme, link, target.port);
    const pids = [agent, pid];
    ways.push(way(`elsewhere proxy -L, ${scheme}`, pids, () => dial(port)));
    ways.push(way(`elsewhere proxy --socks, ${scheme}`, pids, () => socksDial(socks, target.port)));
  }
  return ways;
}

async function sshWays(
  sshd: Sshd,
  link: Link,
  port: number,
  way: (name: string, pids: readonly number[], open: () => Promise<Socket>) => Way,
): Promise<Way[]> {
  const through = await link(sshd.port);
  const forward = await sshd.forward(port, through);
  const dynamic = await sshd.dynamic(through);
  return [
    way('ssh -L, aes128-gcm', forward.pids, () => dial(forward.port)),
    way('ssh -D, aes128-gcm', dynamic.pids, () => socksDial(dynamic.port, port)),
  ];
}

interface Proxied {
  readonly agent: number;
  readonly pid: number;
  readonly port: number;
  readonly socks: number;
}

async function elsewhereProxy(
  stage: Stage,
  scheme: 'tcp' | 'tls',
  link: Link,
  target: number,
): Promise<Proxied> {
  const args = scheme === 'tls' ? tlsArguments() : [];
  const starting: Promise<TestAgent> = startAgent({ listen: `${scheme}://127.0.0.1:0`, args });
  stage.defer(async () => (await starting).stop());
  const agent = await starting;
  const url = new URL(agent.url);
  url.port = String(await link(Number(url.port)));
  const child: ChildProcess = spawn(
    process.execPath,
    [cliFile, 'proxy', url.href, '--json', '--socks', '0', '-L', `0:127.0.0.1:${target}`],
    {
      env: { ...process.env, NODE_EXTRA_CA_CERTS: certificateFiles().ca },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  stage.defer(() => endProcess(child));
  const [line] = await once(child.stdout ?? child, 'data');
  const { socks, forward } = JSON.parse(String(line)) as {
    socks: { port: number };
    forward: { port: number }[];
  };
  return {
    agent: agent.process.pid ?? 0,
    pid: child.pid ?? 0,
    port: forward[0]?.port ?? 0,
    socks: socks.port,
  };
}

/** As curl does it: the greeting, its answer, the request, its answer. */
async function socksDial(proxy: number, port: number): Promise<Socket> {
  const socket = await dial(proxy);
  socket.write(Uint8Array.of(5, 1, 0));
  await take(socket, 2);
  socket.write(Uint8Array.of(5, 1, 0, 1, 127, 0, 0, 1, port >> 8, port & 255));
  const answer = await take(socket, 10);
  if (answer[1] !== 0) throw new Error(`SOCKS answered ${answer[1]}`);
  return socket;
}

async function take(socket: Socket, size: number): Promise<Buffer> {
  for (;;) {
    const bytes = socket.read(size) as Buffer | null;
    if (bytes !== null) return bytes;
    await once(socket, 'readable');
  }
}

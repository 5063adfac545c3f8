/** One chaos run: an agent behind a proxy that breaks its links, the load, and what came of it. */
import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Connection, connect, withRemote } from '../../src/index.ts';
import { authority } from '../kit/certificates.ts';
import { startChaos } from '../kit/chaos.ts';
import type { Counter, FarReady, FarReport } from './agent.ts';
import { Load, type Quota } from './load.ts';
import { watchReplay } from './replay.ts';

export type Scheme = 'tcp' | 'ws' | 'tls';

export interface Choices {
  readonly seed: number;
  readonly scheme: Scheme;
  readonly quota: Quota;
  /** Milliseconds after which the run has failed. */
  readonly limit: number;
}

/** What a run came to; it has already been judged but for the figures. */
export interface Figures {
  /** What had to be done. */
  readonly quota: Quota;
  readonly seed: number;
  readonly scheme: Scheme;
  readonly seconds: number;
  readonly disconnects: number;
  /** Milliseconds from the loss of a link until everything goes on. */
  readonly resume: { readonly median: number; readonly p99: number; readonly most: number };
  readonly calls: number;
  readonly blockingCalls: number;
  readonly copiedMegabytes: number;
  readonly echoedMegabytes: number;
  /** Most bytes kept to be sent again. */
  readonly replay: { readonly near: number; readonly far: number };
}

const HEARTBEAT = 200;
/** Mean life of a link in milliseconds; what passes over it ends most of them sooner, so that a busy machine gets on too. */
const LIFE = 600;
const program = fileURLToPath(new URL('./agent.js', import.meta.url));
const replay = watchReplay();

export async function play(choices: Choices): Promise<Figures> {
  const { seed, scheme } = choices;
  const folder = mkdtempSync(join(tmpdir(), 'elsewhere-chaos-'));
  const far = fork(program, [scheme, String(HEARTBEAT)], { cwd: folder });
  try {
    const [ready] = (await once(far, 'message')) as [FarReady];
    const before = await report(far);
    const url = new URL(ready.url);
    const chaos = await startChaos({ target: Number(url.port), seed, life: LIFE, rough: true });
    url.port = String(chaos.port);
    try {
      const conn = await patiently(url.href, scheme);
      try {
        const load = new Load(conn, choices.quota, folder, ready.echo, seed);
        return await judge(load, far, before, choices, () => chaos.calm());
      } finally {
        chaos.calm();
        await conn.close();
      }
    } finally {
      await chaos.close();
    }
  } finally {
    far.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The first link is not dialled again by itself. */
async function patiently(url: string, scheme: Scheme): Promise<Connection<Counter>> {
  const tls = scheme === 'tls' ? { tls: { ca: authority } } : {};
  for (;;) {
    try {
      return await connect<Counter>(url, { heartbeat: HEARTBEAT, ...tls });
    } catch (error) {
      assert.equal((error as { code?: string }).code, 'ERR_ELSEWHERE_CONNECT');
    }
  }
}

async function judge(
  load: Load,
  far: ChildProcess,
  before: FarReport,
  { seed, scheme, quota, limit }: Choices,
  calm: () => void,
): Promise<Figures> {
  const began = performance.now();
  try {
    await Promise.race([load.run(), sleep(limit).then(() => tooLong(load, limit))]);
  } catch (error) {
    throw await blamed(error, far);
  }
  const seconds = (performance.now() - began) / 1000;
  calm();
  const counted = (await report(far)).counted;
  assert.equal(counted.length, load.calls);
  const wrong = counted.flatMap((times, call) => (times === 1 ? [] : [`${call}: ${times} times`]));
  assert.deepEqual(wrong, [], 'each call was carried out once');
  await nothingLeft(load.conn, far, before);
  const { replay: farReplay } = await report(far);
  return {
    quota,
    seed,
    scheme,
    seconds,
    disconnects: load.pauses.length,
    resume: spread(load.pauses),
    calls: load.calls,
    blockingCalls: load.blocking,
    copiedMegabytes: load.copied / (1 << 20),
    echoedMegabytes: load.echoed / (1 << 20),
    replay: { near: replay.most, far: farReplay },
  };
}

/** What a call that is carried out twice breaks besides is not the point. */
async function blamed(error: unknown, far: ChildProcess): Promise<unknown> {
  const twice = (await report(far)).counted.filter((times) => times > 1).length;
  if (twice === 0) return error;
  return new Error(`${twice} calls were carried out more than once`, { cause: error });
}

function tooLong({ conn, pauses, calls, copied }: Load, limit: number): never {
  const state = { disconnects: pauses.length, calls, copied, state: conn.state, ...conn.stats() };
  throw new Error(`not done after ${limit / 1000} s: ${JSON.stringify(state)}`);
}

/** Handles may take a moment to go: what is still there after a few seconds stays. */
async function nothingLeft(
  conn: Connection<Counter>,
  far: ChildProcess,
  before: FarReport,
): Promise<void> {
  const look = async (): Promise<unknown> => {
    const { pendingCalls, streams, replayBytes } = conn.stats();
    const { descriptors } = await report(far);
    // One that does not keep this process alive is not listed.
    const sockets = Math.max(1, ownSockets());
    return { state: conn.state, pendingCalls, streams, replayBytes, sockets, descriptors };
  };
  // Only the two links, both up, of which the blocking one is no resource of this event loop.
  const wanted = {
    state: 'up',
    pendingCalls: 0,
    streams: 0,
    replayBytes: 0,
    sockets: 1,
    descriptors: [...before.descriptors, 'socket', 'socket'].sort(),
  };
  await conn.ping();
  withRemote(conn, { except: ['stdio'] }, () => statSync('.'));
  let found = await look();
  for (let i = 0; i < 50 && JSON.stringify(found) !== JSON.stringify(wanted); i++) {
    await sleep(100);
    found = await look();
  }
  assert.deepEqual(found, wanted, 'nothing is left on either side');
}

async function report(far: ChildProcess): Promise<FarReport> {
  far.send('report');
  const [answer] = (await once(far, 'message')) as [FarReport];
  return answer;
}

function ownSockets(): number {
  return process.getActiveResourcesInfo().filter((name) => /TCP|TLS/.test(name)).length;
}

function spread(values: readonly number[]): Figures['resume'] {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.ceil(sorted.length * share) - 1] ?? Number.NaN;
  return { median: at(0.5), p99: at(0.99), most: at(1) };
}

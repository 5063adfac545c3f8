/**
 * `npm run chaos`: links are cut a thousand times under load, for each of three seeds side by side; nothing may be lost,
 * doubled or left behind. SEED=7 plays that one alone, --small a short one, --mutant one that must fail.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import type { Quota } from './load.ts';
import { sendTwice } from './replay.ts';
import { type Figures, play, type Scheme } from './run.ts';

/** A third of a GB is copied for each seed. */
const WHOLE: Quota = { disconnects: 1000, calls: 10_000, sockets: 100, megabytes: 344 };
const SMALL: Quota = { disconnects: 50, calls: 500, sockets: 20, megabytes: 16 };
/** Calls alone, of which a second one is seen at once. */
const MUTANT: Quota = { disconnects: 50, calls: 500, sockets: 0, megabytes: 0 };
const SEEDS = [1, 2, 3];
const SCHEMES: readonly Scheme[] = ['tcp', 'ws', 'tls'];

const MOST_REPLAY = 8 << 20;
/** Milliseconds. */
const P99_RESUME = 500;
const LIMIT = 170_000;

const { values } = parseArgs({
  options: {
    small: { type: 'boolean', default: false },
    mutant: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const given = process.env['SEED'];
const seeds = given !== undefined ? [Number(given)] : values.mutant ? SEEDS.slice(0, 1) : SEEDS;

function faults({ replay, resume, disconnects }: Figures): string[] {
  const most = Math.max(replay.near, replay.far);
  return [
    ...(most > MOST_REPLAY ? [`${most} bytes were kept to be sent again`] : []),
    // One of fifty is no percentile.
    ...(disconnects >= 1000 && resume.p99 > P99_RESUME ? [`p99 of ${resume.p99} ms`] : []),
  ];
}

function line(figures: Figures): string {
  if (values.json) return JSON.stringify(figures);
  const { seed, scheme, seconds, disconnects, resume, replay } = figures;
  const mb = (bytes: number): string => (bytes / (1 << 20)).toFixed(2);
  return [
    `seed ${seed} ${scheme}: ${disconnects} disconnects in ${seconds.toFixed(1)} s`,
    `resume median ${resume.median.toFixed(1)} ms, p99 ${resume.p99.toFixed(0)} ms, most ${resume.most.toFixed(0)} ms`,
    `${figures.calls} calls, each once, and ${figures.blockingCalls} blocking ones`,
    `${figures.copiedMegabytes} MB copied, ${figures.echoedMegabytes.toFixed(1)} MB echoed, byte for byte`,
    `kept for replay at most ${mb(replay.near)} MB here, ${mb(replay.far)} MB there; no handle left`,
  ].join('\n  ');
}

async function playHere(seed: number): Promise<void> {
  const scheme = SCHEMES[(seed + 2) % SCHEMES.length] ?? 'tcp';
  try {
    const quota = values.mutant ? MUTANT : values.small ? SMALL : WHOLE;
    const figures = await play({ seed, scheme, quota, limit: LIMIT });
    console.log(line(figures));
    for (const fault of faults(figures)) throw new Error(fault);
  } catch (error) {
    console.error(`chaos: seed ${seed} ${scheme} failed (SEED=${seed} plays it again):`, error);
    process.exitCode = 1;
  }
}

/** They wait for the network most of the time. */
async function playApart(seed: number): Promise<void> {
  const [program = '', ...args] = process.argv.slice(1);
  const child = spawn(process.execPath, [program, ...args], {
    env: { ...process.env, SEED: String(seed) },
    stdio: 'inherit',
  });
  const [code] = await once(child, 'exit');
  if (code !== 0) process.exitCode = 1;
}

if (values.mutant) sendTwice();
const [only] = seeds;
if (seeds.length === 1 && only !== undefined) await playHere(only);
else await Promise.all(seeds.map(playApart));
process.exit();

/** `npm run bench -- [NAME…] [--rounds N] [--scale F] [--json]`: progress to stderr, results to stdout. */
import { arch, cpus, platform } from 'node:os';
import { parseArgs } from 'node:util';
import type { Benchmark, Run } from './benchmark.ts';
import { calls } from './calls.ts';
import { connection } from './connection.ts';
import { files } from './files.ts';
import { objects } from './objects.ts';
import { outside } from './outside.ts';
import { proxy } from './proxy.ts';
import { asLines, asTable } from './report.ts';
import { compete, type Result } from './rounds.ts';
import { sockets } from './sockets.ts';
import { Stage } from './stage.ts';
import { sync } from './sync.ts';

const benchmarks: readonly Benchmark[] = [
  connection,
  calls,
  objects,
  files,
  sockets,
  proxy,
  outside,
  sync,
];

const HELP = `npm run bench -- [NAME...] [--rounds N] [--scale F] [--json]

${benchmarks.map(({ name, title }) => `  ${name.padEnd(9)} ${title}`).join('\n')}

  --rounds N  rounds that count, default 7
  --scale F   as many operations times F, default 1
  --json      one JSON line per result instead of tables
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '7' },
    scale: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

let stage = new Stage();

function give(up: string, code: number): never {
  process.stderr.write(up);
  process.exit(code);
}

function chosen(): readonly Benchmark[] {
  if (positionals.length === 0) return benchmarks;
  return positionals.map(
    (wanted) =>
      benchmarks.find(({ name }) => name === wanted) ??
      give(`bench: there is no ${JSON.stringify(wanted)}\n\n${HELP}`, 2),
  );
}

function newRun(): Run {
  const report = (results: readonly Result[]): void => {
    process.stdout.write(values.json ? asLines(results) : asTable(results));
  };
  const rounds = Math.max(1, Number(values.rounds));
  return {
    rounds,
    stage,
    scaled: (operations) => Math.max(1, Math.round(operations * Number(values.scale))),
    compete: async (contest) => report(await compete(contest, rounds)),
    report,
    note: (text) => process.stderr.write(`bench: ${text}\n`),
  };
}

async function stop(code: number): Promise<void> {
  await stage.close();
  process.exit(code);
}
process.once('SIGINT', () => void stop(130));
process.once('SIGTERM', () => void stop(143));

if (values.help) give(HELP, 0);
if (!values.json)
  process.stdout.write(
    `Node ${process.versions.node}, ${platform()} ${arch()}, ${cpus().length} x ${cpus()[0]?.model ?? '?'}\n`,
  );
for (const benchmark of chosen()) {
  stage = new Stage();
  try {
    await benchmark.run(newRun());
  } finally {
    await stage.close();
  }
}

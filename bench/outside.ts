/** What the dispatchers cost where no scope is in force: patched functions, `await`, and the start of a process. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { repository } from '../test/kit/agent.ts';
import type { Benchmark, Run } from './benchmark.ts';
import type { OutsideMode, OutsideTimes } from './peers/outside.ts';
import { type Sample, summary } from './rounds.ts';
import { Stage } from './stage.ts';

const MODES: Readonly<Record<OutsideMode, string>> = {
  plain: 'plain Node',
  installed: 'install()',
  used: 'a scope was used, connection closed',
  open: 'a scope was used, connection open',
};
const STARTS = 15;

export const outside: Benchmark = {
  name: 'outside',
  title: 'the cost of patched functions, await and start-up outside any scope',
  async run(run) {
    await functions(run);
    await startUp(run);
  },
};

async function functions(run: Run): Promise<void> {
  const samples = new Map<string, Map<string, Sample[]>>();
  for (let round = 0; round < run.rounds; round++) {
    process.stderr.write(`bench: outside: ${round + 1}\n`);
    for (const [mode, title] of Object.entries(MODES)) {
      for (const [name, ns] of Object.entries(await timesOf(mode, run.scaled(1000)))) {
        const contest = samples.get(name) ?? new Map<string, Sample[]>();
        samples.set(name, contest);
        contest.set(title, [...(contest.get(title) ?? []), { ns, cpu: undefined }]);
      }
    }
  }
  for (const [name, contest] of samples) run.report(summary(name, 'ns', contest));
}

/** A process of its own for each measurement: what was installed once leaves traces in compiled code. */
async function timesOf(mode: string, scale: number): Promise<OutsideTimes> {
  const stage = new Stage();
  try {
    return (await stage.peer<OutsideTimes>('outside', [mode, String(scale)])).ready;
  } finally {
    await stage.close();
  }
}

async function startUp({ stage, compete, scaled }: Run): Promise<void> {
  const program = join(stage.folder(), 'empty.mjs');
  writeFileSync(program, '');
  const register = pathToFileURL(join(repository, 'dist', 'register.js')).href;
  const start = (args: readonly string[]): void => {
    const { status } = spawnSync(process.execPath, [...args, program], { stdio: 'inherit' });
    if (status !== 0) throw new Error(`node ended with ${status}`);
  };
  await compete({
    name: 'start of a process',
    unit: 'ms',
    rounds: scaled(STARTS),
    contestants: [
      { name: 'node', ops: 1, run: () => start([]) },
      {
        name: 'node --import elsewhere/register',
        ops: 1,
        run: () => start(['--import', register]),
      },
    ],
  });
}

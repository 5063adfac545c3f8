/** An agent with a folder that no other process can reach: its own mount namespace has a file system of its own there. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Ended, runProgram, startAgent, type TestAgent } from './agent.ts';

export interface FarFolder {
  readonly agent: TestAgent;
  /** Its name over there; here there is nothing of that name. */
  readonly path: string;
  /** The same folder as the kernel shows it from here, for a test that prepares or looks at it. */
  readonly seen: string;
  /** Runs a program over there, in that folder, without us. */
  run(program: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<Ended>;
  stop(): Promise<void>;
}

const root = process.getuid?.() === 0;
const OWN_MOUNTS = root ? ['-m'] : ['-r', '-m'];
const ITS_MOUNTS = root ? ['-m'] : ['-U', '--preserve-credentials', '-m'];
const START =
  'mount -t tmpfs -o mode=755 tmpfs "$0" && mkdir "$0/project" && cd "$0/project" && exec "$@"';

/** Why it cannot be had here; undefined if it can. */
export function noFarFolder(): string | undefined {
  const { status, error } = spawnSync('unshare', [
    ...OWN_MOUNTS,
    'mount',
    '-t',
    'tmpfs',
    'x',
    '/mnt',
  ]);
  return error === undefined && status === 0 ? undefined : 'no mount namespace may be made here';
}

export async function startFarFolder(): Promise<FarFolder> {
  const mount = realpathSync(mkdtempSync(join(tmpdir(), 'elsewhere-far-')));
  const agent = await startAgent({
    listen: 'ws://127.0.0.1:0',
    prefix: ['unshare', ...OWN_MOUNTS, 'sh', '-c', START, mount],
  });
  const path = join(mount, 'project');
  const pid = agent.process.pid;
  return {
    agent,
    path,
    seen: `/proc/${pid}/root${path}`,
    run: (program, args, env) => {
      const inside = ['sh', '-c', 'cd "$0" && exec "$@"', path, program, ...args];
      return runProgram('nsenter', ['-t', String(pid), ...ITS_MOUNTS, ...inside], { env });
    },
    stop: async () => {
      await agent.stop();
      rmSync(mount, { recursive: true });
    },
  };
}

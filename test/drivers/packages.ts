/**
 * Drivers that are no dependency of ours, from the folder that ELSEWHERE_TEST_RUNNERS names (with a node_modules in it);
 * .ci/run prepares one. And the servers that they ask, each in a folder of its own.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from '../kit/suite.ts';

const folder = join(process.env['ELSEWHERE_TEST_RUNNERS'] ?? '', 'node_modules');

/** Skips the test where it is not installed. */
export function packageOf<T>(context: TestContext, name: string): T {
  return createRequire(import.meta.url)(pathOf(context, name)) as T;
}

/** Of the file that `require` loads for it. */
export function pathOf({ skip }: TestContext, name: string): string {
  const [own = name] = name.split('/');
  if (folder === 'node_modules' || !existsSync(join(folder, own)))
    skip(`${own} is not installed: ELSEWHERE_TEST_RUNNERS names no folder with it`);
  return createRequire(join(folder, 'from-here.js')).resolve(name);
}

export function hasProgram(name: string): boolean {
  return spawnSync(name, ['--version'], { stdio: 'ignore' }).error === undefined;
}

export interface Server {
  readonly folder: string;
  stop(): Promise<void>;
}

/** A server in a folder of its own, running once it has written what matches `ready`. */
export async function startServer(
  program: string,
  args: (folder: string) => string[],
  ready: RegExp,
  prepare?: (folder: string) => Promise<unknown>,
): Promise<Server> {
  const own = mkdtempSync(join(tmpdir(), 'elsewhere-server-'));
  await prepare?.(own);
  const child: ChildProcess = spawn(program, args(own), {
    cwd: own,
    stdio: 'pipe',
    env: { ...process.env, TMPDIR: own },
  });
  const kill = (): void => void child.kill('SIGKILL');
  process.on('exit', kill);
  let said = '';
  await new Promise<void>((resolve, reject) => {
    for (const output of [child.stdout, child.stderr])
      output?.setEncoding('utf8').on('data', (text: string) => {
        said += text;
        if (ready.test(said)) resolve();
      });
    child.once('exit', (code) => reject(new Error(`${program} ended with ${code}: ${said}`)));
  });
  return {
    folder: own,
    stop: async () => {
      process.off('exit', kill);
      child.kill('SIGKILL');
      await once(child, 'exit');
      rmSync(own, { recursive: true, force: true });
    },
  };
}

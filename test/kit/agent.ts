/** A real agent in a process and a folder of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const repository: string = fileURLToPath(new URL('../../..', import.meta.url));
export const cliFile: string = join(repository, 'dist', 'cli.js');

export interface TestAgent {
  readonly url: string;
  readonly folder: string;
  readonly process: ChildProcess;
  /** All that it wrote to standard output so far, but for the first line. */
  readonly stdout: () => string;
  readonly stderr: () => string;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

const running = new Set<TestAgent>();
// A test that fails must not leave its agents behind.
process.on('exit', () => {
  for (const agent of running) agent.process.kill('SIGKILL');
});

export interface AgentChoices {
  readonly listen?: string;
  readonly args?: readonly string[];
  readonly stdin?: 'pipe' | 'ignore';
  /** A program and its arguments in front of node: `ip netns exec …`. */
  readonly prefix?: readonly string[];
}

export async function startAgent({
  listen,
  args = [],
  stdin = 'ignore',
  prefix = [],
}: AgentChoices = {}): Promise<TestAgent> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'elsewhere-agent-')));
  const [program = '', ...rest] = [
    ...prefix,
    process.execPath,
    cliFile,
    'serve',
    ...(listen === undefined ? [] : ['--listen', listen]),
    ...args,
  ];
  const child = spawn(program, rest, { cwd: folder, stdio: [stdin, 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (err += text));
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      out += text;
      if (out.includes('\n')) resolve(out.slice(0, out.indexOf('\n')));
    });
    child.once('exit', (code) => reject(new Error(`the agent ended with ${code}: ${err}`)));
  });
  const agent: TestAgent = {
    url,
    folder,
    process: child,
    stdout: () => out.slice(out.indexOf('\n') + 1),
    stderr: () => err,
    stop: async (signal = 'SIGTERM') => {
      running.delete(agent);
      if (child.exitCode === null && child.signalCode === null) {
        child.kill(signal);
        await once(child, 'exit');
      }
      rmSync(folder, { recursive: true, force: true });
    },
  };
  running.add(agent);
  return agent;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end. */
export async function runProgram(
  program: string,
  args: readonly string[],
  options: {
    cwd?: string;
    input?: string;
    env?: NodeJS.ProcessEnv;
    onStart?: (child: ChildProcess) => void;
  } = {},
): Promise<Ended> {
  const child = spawn(program, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: 'pipe',
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  child.stdin.on('error', () => undefined).end(options.input ?? '');
  options.onStart?.(child);
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  return { code, signal, stdout, stderr };
}

/** The command line of this package. */
export function elsewhere(
  args: readonly string[],
  options?: Parameters<typeof runProgram>[2],
): Promise<Ended> {
  return runProgram(process.execPath, [cliFile, ...args], options);
}

/** Runs one test file in a process and a process group of its own, and collects its report and its output. */
import { type ChildProcess, spawn } from 'node:child_process';
import { parseReport, REPORT_VARIABLE } from './report.ts';
import { type Ending, judge, type Verdict } from './verdict.ts';

export interface RunOptions {
  /** The Node binary; this one unless given. */
  readonly node?: string;
  /** Milliseconds, unless the file asks for another limit. */
  readonly limit?: number;
}

export interface FileResult extends Verdict {
  readonly file: string;
  /** Both output streams, as they came. */
  readonly output: string;
  readonly milliseconds: number;
}

const DEFAULT_LIMIT = 60_000;
const REPORT_DESCRIPTOR = 3;
const MAX_OUTPUT = 200_000;
/** How long the pipes are read on once the process has ended: a descendant that left the group may hold them. */
const LINGER = 1_000;

const running = new Set<ChildProcess>();

export async function runFile(file: string, options: RunOptions = {}): Promise<FileResult> {
  const started = performance.now();
  const child = spawn(options.node ?? process.execPath, [file], {
    // A group of its own, so that what a test leaves behind can be ended with it.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    env: { ...ownEnvironment(), [REPORT_VARIABLE]: String(REPORT_DESCRIPTOR) },
  });
  running.add(child);
  const output = collect(child, [1, 2]);
  const report = collect(child, [REPORT_DESCRIPTOR]);
  const ending = await ended(child, options.limit ?? DEFAULT_LIMIT, report);
  running.delete(child);
  const verdict = judge(parseReport(report()), ending);
  return {
    ...verdict,
    file,
    output: output().slice(-MAX_OUTPUT),
    milliseconds: performance.now() - started,
  };
}

/** For the runner's own end. */
export function killAll(): void {
  for (const child of running) killGroup(child);
}

/** A developer's settings must not decide what a test sees. */
function ownEnvironment(): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env);
  return Object.fromEntries(
    entries.filter(
      ([name]) => !name.startsWith('ELSEWHERE_') || name.startsWith('ELSEWHERE_TEST_'),
    ),
  );
}

function collect(child: ChildProcess, descriptors: readonly number[]): () => string {
  const chunks: Buffer[] = [];
  for (const descriptor of descriptors)
    child.stdio[descriptor]?.on('data', (chunk: Buffer) => chunks.push(chunk));
  return () => Buffer.concat(chunks).toString();
}

async function ended(child: ChildProcess, limit: number, report: () => string): Promise<Ending> {
  const watch = watchLimit(child, limit, report);
  const closed = new Promise((resolve) => child.once('close', resolve));
  const ending = await new Promise<Ending>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
  killGroup(child);
  const linger = setTimeout(() => {
    for (const stream of child.stdio) stream?.destroy();
  }, LINGER);
  await closed;
  clearTimeout(linger);
  const killedAfter = watch();
  return killedAfter === undefined ? ending : { ...ending, killedAfter };
}

/** Kills at the limit, the file's own one if it asks for one. Returns: stop watching, and tell after what time it was killed. */
function watchLimit(
  child: ChildProcess,
  limit: number,
  report: () => string,
): () => number | undefined {
  let killedAfter: number | undefined;
  const expire = (after: number): void => {
    const asked =
      parseReport(report()).findLast((line) => line.event === 'file-limit')?.ms ?? after;
    if (asked > after) {
      timer = setTimeout(expire, asked - after, asked);
      return;
    }
    killedAfter = after;
    killGroup(child);
  };
  let timer = setTimeout(expire, limit, limit);
  return () => {
    clearTimeout(timer);
    return killedAfter;
  };
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Nobody is left in the group: as it should be.
  }
}

/**
 * `elsewhere serve --stdio`: the links come over this process's own standard streams. The agent proper is a child that
 * has them under other numbers, since what it runs may print: its own standard output leads to standard error.
 */
import { originals } from '../base/originals.ts';
import type { PipePair } from '../transport/pipe.ts';

/** Names the two descriptors for the child, input and output. */
const VARIABLE = 'ELSEWHERE_STDIO';

/** The pipes of the links, in the process that is to serve them. */
export function inheritedPipes(): PipePair | undefined {
  const [input, output] = (process.env[VARIABLE] ?? '').split(',').map(Number);
  if (input === undefined || output === undefined) return undefined;
  // Not for the programs that this one starts.
  delete process.env[VARIABLE];
  return {
    input: new originals.net.Socket({ fd: input, readable: true, writable: false }),
    output: new originals.net.Socket({ fd: output, readable: false, writable: true }),
  };
}

/** Starts the same command line again, with the streams under other numbers. Resolves with its exit code. */
export function serveBehindStdio(): Promise<number> {
  const child = originals.childProcess.spawn(
    process.execPath,
    [...process.execArgv, ...process.argv.slice(1)],
    { stdio: ['ignore', 2, 2, 1, 0], env: { ...process.env, [VARIABLE]: '4,3' } },
  );
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => child.kill(signal));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? (signal === null ? 0 : 1)));
  });
}

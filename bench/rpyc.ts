/** RPyC's server and client, each a Python process; the client does what it is told, and says when it is done. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { repository } from '../test/kit/agent.ts';
import { endProcess, type Stage } from './stage.ts';

export interface Rpyc {
  readonly pids: readonly number[];
  /** One of the functions of peers/rpyc_peer.py. */
  run(what: string, count: number): Promise<void>;
}

const PROGRAM = join(repository, 'bench', 'peers', 'rpyc_peer.py');

/** Undefined where there is none, with the reason noted. */
export async function startRpyc(
  stage: Stage,
  file: string,
  note: (text: string) => void,
): Promise<Rpyc | undefined> {
  const python = ['python3', '/usr/bin/python3'].find(hasRpyc);
  if (python === undefined) {
    note('RPyC is left out: no python3 here has it (Debian: apt-get install python3-rpyc)');
    return undefined;
  }
  const start = (...args: string[]): ChildProcess => {
    const child = spawn(python, [PROGRAM, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
    stage.defer(() => endProcess(child));
    return child;
  };
  const server = start('server', file);
  const port = await linesOf(server)();
  const client = start('client', port);
  const next = linesOf(client);
  await next();
  return {
    pids: [server.pid ?? 0, client.pid ?? 0],
    run: async (what, count) => {
      client.stdin?.write(`${what} ${count}\n`);
      await next();
    },
  };
}

function hasRpyc(python: string): boolean {
  return spawnSync(python, ['-c', 'import rpyc'], { stdio: 'ignore' }).status === 0;
}

function linesOf(child: ChildProcess): () => Promise<string> {
  if (child.stdout === null) throw new Error('no pipe');
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return async () => {
    const { done, value } = await lines.next();
    if (done === true) throw new Error('RPyC has ended');
    return value;
  };
}

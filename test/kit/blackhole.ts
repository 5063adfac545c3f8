/** A place that swallows attempts to connect: nobody answers them, and nobody says no. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

export interface Blackhole {
  readonly port: number;
  stop(): void;
}

const PROGRAM = `
  const server = require('node:net').createServer(() => undefined).listen({ port: 0, host: '127.0.0.1', backlog: 1 },
    () => process.stdout.write(server.address().port + '\\n'));`;

/**
 * A server that is stopped: the kernel takes a few connections for it (its backlog), and drops every packet of the others.
 */
export async function blackhole(): Promise<Blackhole> {
  const child: ChildProcess = spawn(process.execPath, ['-e', PROGRAM], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  process.on('exit', () => child.kill('SIGKILL'));
  const [line] = await once(child.stdout ?? child, 'data');
  child.kill('SIGSTOP');
  return { port: Number(String(line)), stop: () => void child.kill('SIGKILL') };
}

/** What a benchmark needs around it (agents, processes, folders, connections), and how all of it is taken away again. */
import { type ChildProcess, fork, type StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Connection, type ConnectOptions, connect } from 'elsewhere';
import { startAgent, type TestAgent } from '../test/kit/agent.ts';

/** A process of our own that said what it is ready with. */
export interface BenchPeer<T> {
  readonly ready: T;
  readonly pid: number;
}

export type Scheme = 'ws' | 'tcp' | 'unix';

/** A connection and the process at its end. */
export interface Link {
  readonly connection: Connection;
  readonly agent: TestAgent;
  readonly pids: readonly number[];
}

export class Stage {
  readonly #undo: (() => unknown)[] = [];
  #closing: Promise<void> | undefined;

  /** The last deferred is done first. */
  defer(undo: () => unknown): void {
    this.#undo.push(undo);
  }

  /** In memory where the system has such a place, so that no disk is measured; TMPDIR says otherwise. */
  folder(): string {
    const memory = process.env['TMPDIR'] === undefined && existsSync('/dev/shm');
    const root = memory ? '/dev/shm' : tmpdir();
    const folder = mkdtempSync(join(root, 'elsewhere-bench-'));
    this.defer(() => rmSync(folder, { recursive: true, force: true }));
    return folder;
  }

  /** Runs build/bench/peers/NAME.js, which ends when this process does. */
  async peer<T>(
    name: string,
    args: readonly string[] = [],
    options: { execArgv?: string[]; stdio?: StdioOptions } = {},
  ): Promise<BenchPeer<T>> {
    const file = new URL(`./peers/${name}.js`, import.meta.url);
    const child = fork(file, args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'], ...options });
    this.defer(() => endProcess(child));
    const ended = once(child, 'exit').then(([code]) => {
      throw new Error(`bench/peers/${name} ended with ${code}`);
    });
    const [ready] = (await Promise.race([once(child, 'message'), ended])) as [T];
    ended.catch(() => undefined);
    return { ready, pid: child.pid ?? 0 };
  }

  async agent(scheme: Scheme): Promise<TestAgent> {
    const listen =
      scheme === 'unix' ? `unix:${join(this.folder(), 'agent.sock')}` : `${scheme}://127.0.0.1:0`;
    const starting = startAgent({ listen });
    // Deferred before it has started: we may be interrupted meanwhile.
    this.defer(async () => (await starting).stop());
    return starting;
  }

  async connect(agent: TestAgent, options: ConnectOptions = {}): Promise<Link> {
    const connection = await connect(agent.url, options);
    this.defer(() => connection.close());
    return { connection, agent, pids: [agent.process.pid ?? 0] };
  }

  /** An agent of its own, and a connection to it. */
  async link(scheme: Scheme): Promise<Link> {
    return this.connect(await this.agent(scheme));
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    for (let undo = this.#undo.pop(); undo !== undefined; undo = this.#undo.pop()) {
      try {
        await undo();
      } catch (error) {
        process.stderr.write(`bench: cleaning up: ${String(error)}\n`);
      }
    }
  }
}

/** Ends a child process and waits until it is gone. */
export async function endProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  const fuse = setTimeout(() => child.kill('SIGKILL'), 2000);
  await gone;
  clearTimeout(fuse);
}

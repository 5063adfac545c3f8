/**
 * Runs the same body twice: with this machine's files, and in a scope with those of a real agent. Both start in an empty
 * working directory of their own; what they return must be the same but for the name of that directory.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Connection, connect, withRemote } from '../../src/index.ts';
import { startAgent, type TestAgent } from './agent.ts';
import { describe, outcome } from './outcome.ts';

/** `root` is the working directory, whose name is not compared. */
export type Body = (root: string) => unknown;

export class Twice {
  readonly agent: TestAgent;
  readonly connection: Connection;
  readonly #here: string;
  #runs = 0;

  private constructor(agent: TestAgent, connection: Connection) {
    this.agent = agent;
    this.connection = connection;
    this.#here = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), 'elsewhere-here-')));
  }

  static async start(): Promise<Twice> {
    const agent = await startAgent();
    return new Twice(agent, await connect(agent.url));
  }

  /** The same on both sides. Returns it, as it was described for comparing. */
  async same(body: Body): Promise<unknown> {
    const { here, there } = await this.both(body);
    assert.deepStrictEqual(there, here);
    return here;
  }

  /** What it did on each side, as it was described for comparing. */
  async both(body: Body): Promise<{ here: unknown; there: unknown }> {
    this.#runs += 1;
    return { here: await this.#local(body), there: await this.#remote(body) };
  }

  async #local(body: Body): Promise<unknown> {
    const root = join(this.#here, `run-${this.#runs}`);
    fs.mkdirSync(root);
    const before = process.cwd();
    process.chdir(root);
    try {
      return describe(await outcome(() => body(root)), root);
    } finally {
      process.chdir(before);
    }
  }

  async #remote(body: Body): Promise<unknown> {
    const root = join(this.agent.folder, `run-${this.#runs}`);
    fs.mkdirSync(root);
    return withRemote(this.connection, { cwd: root, stdio: 'local' }, async () =>
      describe(await outcome(() => body(root)), root),
    );
  }

  async stop(): Promise<void> {
    await this.connection.close();
    await this.agent.stop();
    fs.rmSync(this.#here, { recursive: true, force: true });
  }
}

/**
 * Runs the same body twice: with this machine's files, and in a scope with those of a real agent. Both start in an empty
 * working directory of their own; what they return must be the same but for the name of that directory.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Connection, connect, withRemote } from '../../src/index.ts';
import { startAgent, type TestAgent } from './agent.ts';

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

/** What a function returned, or the error that it threw, as a value. */
export async function outcome(body: () => unknown): Promise<unknown> {
  try {
    return await body();
  } catch (error) {
    return error;
  }
}

/** The same for a function that blocks. */
export function outcomeSync(body: () => unknown): unknown {
  try {
    return body();
  } catch (error) {
    return error;
  }
}

/** Plain data that says all that a program could tell about a value, but for times and numbers of files. */
export function describe(value: unknown, root: string): unknown {
  if (typeof value === 'string') return value.replaceAll(root, '<root>');
  if (typeof value !== 'object' || value === null)
    return typeof value === 'function' ? 'function' : value;
  if (value instanceof Error) return describeError(value, root);
  if (ArrayBuffer.isView(value)) return describeBytes(value, root);
  if (value instanceof fs.Stats || isBigIntStats(value)) return describeStats(value);
  if (value instanceof Map) return value;
  if (Array.isArray(value)) return value.map((item) => describe(item, root));
  return [
    value.constructor?.name ?? 'null',
    // Node's class itself, not one that is called the same.
    value instanceof fs.Dirent,
    Object.entries(value).map(([key, item]) => [key, describe(item, root)]),
  ];
}

function describeError(error: Error, root: string): unknown {
  const keys = Reflect.ownKeys(error).filter((key) => key !== 'stack');
  return {
    class: error.constructor.name,
    name: error.name,
    own: keys.map((key) => [String(key), describe(Reflect.get(error, key), root)]),
  };
}

/** Short bytes as they are, long ones by their hash. */
function describeBytes(view: ArrayBufferView, root: string): unknown {
  const bytes = Buffer.from(view.buffer, view.byteOffset, view.byteLength);
  const shown =
    bytes.length > 256
      ? `${bytes.length}: ${createHash('sha1').update(bytes).digest('hex')}`
      : Buffer.from(bytes.toString('latin1').replaceAll(root, '<root>'), 'latin1').toString('hex');
  return [view.constructor.name, shown];
}

const VOLATILE = /^(?:ino|dev|[amc]time|birthtime|blocks)/;

function isBigIntStats(value: object): value is fs.BigIntStats {
  return value.constructor?.name === 'BigIntStats';
}

function describeStats(stats: fs.Stats | fs.BigIntStats): unknown {
  const kept = Object.entries(stats).filter(([key]) => !VOLATILE.test(key));
  return {
    class: stats.constructor.name,
    keys: Object.keys(stats),
    types: Object.values(stats).map((item) => typeof item),
    values: kept,
    dates: [stats.mtime instanceof Date, stats.birthtime instanceof Date],
    is: [stats.isFile(), stats.isDirectory(), stats.isSymbolicLink(), stats.isFIFO()],
  };
}

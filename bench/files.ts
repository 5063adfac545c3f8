/** Remote files beside local ones and SFTP: small and large reads and writes, and stat. */
import fs from 'node:fs';
import { join } from 'node:path';
import { type Connection, withRemote } from 'elsewhere';
import type { SFTPWrapper } from 'ssh2';
import type { Benchmark, Run } from './benchmark.ts';
import type { Contestant } from './rounds.ts';
import { type Sshd, startSshd } from './sshd.ts';

const SMALL = 4096;
const AT_ONCE = 64;
const SMALL_FILES = 1000;

/** One way to the files of the same folder. What it cannot do is left out. */
interface Way {
  readonly name: string;
  readonly pids: readonly number[];
  read(file: string): Promise<unknown>;
  stat(file: string): Promise<unknown>;
  write(file: string, bytes: Buffer): Promise<unknown>;
  /** Runs all of `work` in one scope. */
  around(work: () => Promise<void>): Promise<void>;
}

export const files: Benchmark = {
  name: 'files',
  title: 'remote files beside local ones and SFTP: 4 KB and 256 MB, read, write, stat',
  async run(run) {
    const folder = run.stage.folder();
    const sshd = await startSshd(run.stage, run.note);
    const sftp = await sshd?.sftp();
    const ways = [...(sftp === undefined ? [] : [sftpWay(sftp, sshd?.pid ?? 0)]), localWay];
    for (const scheme of ['tcp', 'ws', 'unix'] as const) {
      const { connection, pids } = await run.stage.link(scheme);
      ways.push(remoteWay(`elsewhere ${scheme}`, connection, pids));
    }
    await small(run, folder, ways);
    await large(run, folder, ways, sshd, sftp);
  },
};

const localWay: Way = {
  name: 'local fs.promises',
  pids: [],
  read: (file) => fs.promises.readFile(file),
  stat: (file) => fs.promises.stat(file),
  write: (file, bytes) => fs.promises.writeFile(file, bytes),
  around: (work) => work(),
};

function remoteWay(name: string, connection: Connection, pids: readonly number[]): Way {
  return { ...localWay, name, pids, around: (work) => withRemote(connection, work) };
}

type NodeCallback<T> = (error: Error | null | undefined, value: T) => void;

function sftpWay(sftp: SFTPWrapper, pid: number): Way {
  return {
    name: 'sftp, ssh2',
    pids: [pid],
    read: (file) => promised<Buffer>((done) => sftp.readFile(file, done)),
    stat: (file) => promised<unknown>((done) => sftp.stat(file, done)),
    write: (file, bytes) => promised<unknown>((done) => sftp.writeFile(file, bytes, done as never)),
    around: (work) => work(),
  };
}

function promised<T>(start: (done: NodeCallback<T>) => void): Promise<T> {
  return new Promise((resolve, reject) =>
    start((error, value) => (error ? reject(error) : resolve(value))),
  );
}

async function small(run: Run, folder: string, ways: readonly Way[]): Promise<void> {
  const ops = run.scaled(SMALL_FILES);
  const names = Array.from({ length: ops }, (_, i) => join(folder, `small-${i}`));
  for (const name of names) fs.writeFileSync(name, Buffer.alloc(SMALL, 1));
  const kinds = { 'readFile of 4 KB': 'read', stat: 'stat' } as const;
  const syncs = { read: fs.readFileSync, stat: fs.statSync };
  for (const [title, verb] of Object.entries(kinds)) {
    for (const [when, lanes] of [
      ['one by one', 1],
      ['64 at once', AT_ONCE],
    ] as const) {
      const contestants = ways.map(
        (way): Contestant => ({
          name: way.name,
          ops,
          pids: way.pids,
          run: () => way.around(() => inLanes(names, lanes, (name) => way[verb](name))),
        }),
      );
      const sync: Contestant = {
        name: `local ${syncs[verb].name}`,
        ops,
        run: () => void names.forEach((name) => void syncs[verb](name)),
      };
      await run.compete({
        name: `${title}, ${when}`,
        unit: 'us',
        contestants: lanes === 1 ? [...contestants, sync] : contestants,
      });
    }
  }
}

async function inLanes(
  names: readonly string[],
  lanes: number,
  work: (name: string) => Promise<unknown>,
): Promise<void> {
  const queue = names.values();
  const lane = async (): Promise<void> => {
    for (const name of queue) await work(name);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

async function large(
  run: Run,
  folder: string,
  ways: readonly Way[],
  sshd: Sshd | undefined,
  sftp: SFTPWrapper | undefined,
): Promise<void> {
  const megabytes = run.scaled(256);
  const bytes = Buffer.alloc(megabytes * 1e6, 5);
  const source = join(folder, 'large');
  const copy = join(folder, 'copy');
  fs.writeFileSync(source, bytes);
  const reads: Contestant[] = [];
  const writes: Contestant[] = [];
  if (sshd !== undefined && sftp !== undefined) {
    const command = await sshd.command();
    const pids = [sshd.pid];
    const add = (to: Contestant[], name: string, run: () => Promise<unknown>): void =>
      void to.push({ name, ops: megabytes, pids, run });
    add(reads, 'sftp, OpenSSH get', () => command(`get ${source} ${copy}`));
    add(writes, 'sftp, OpenSSH put', () => command(`put ${source} ${copy}`));
    add(reads, 'sftp, ssh2 fastGet', () =>
      promised((done) => sftp.fastGet(source, copy, done as never)),
    );
    add(writes, 'sftp, ssh2 fastPut', () =>
      promised((done) => sftp.fastPut(source, copy, done as never)),
    );
  }
  for (const way of ways.filter(({ name }) => !name.startsWith('sftp'))) {
    const add = (to: Contestant[], name: string, run: () => Promise<unknown>): void =>
      void to.push({
        name,
        ops: megabytes,
        pids: way.pids,
        run: () => way.around(async () => void (await run())),
      });
    add(reads, way.name, () => way.read(source));
    add(reads, `${way.name}, stream`, () => readStream(source));
    add(writes, way.name, () => way.write(copy, bytes));
    add(writes, `${way.name}, stream`, () => writeStream(copy, bytes));
  }
  reads.push({ name: 'local readFileSync', ops: megabytes, run: () => fs.readFileSync(source) });
  writes.push({
    name: 'local writeFileSync',
    ops: megabytes,
    run: () => fs.writeFileSync(copy, bytes),
  });
  const rounds = Math.min(run.rounds, 5);
  await run.compete({ name: `read ${megabytes} MB`, unit: 'MB/s', contestants: reads, rounds });
  await run.compete({ name: `write ${megabytes} MB`, unit: 'MB/s', contestants: writes, rounds });
}

function readStream(file: string): Promise<void> {
  return new Promise((resolve, reject) => {
    fs.createReadStream(file).on('error', reject).on('end', resolve).resume();
  });
}

async function writeStream(file: string, bytes: Buffer): Promise<void> {
  const stream = fs.createWriteStream(file);
  const size = 256 * 1024;
  for (let at = 0; at < bytes.length; at += size)
    if (!stream.write(bytes.subarray(at, at + size)))
      await new Promise<void>((resolve) => void stream.once('drain', resolve));
  await new Promise<void>((resolve, reject) => stream.on('error', reject).end(resolve));
}

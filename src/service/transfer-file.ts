/**
 * One file to or from the far side: streamed, verified by SHA-256, put under its name only when it is whole. A part that
 * was kept is gone on with behind what is proven to be the file's beginning. The functions named "far" are sent as source.
 */
import { randomBytes } from 'node:crypto';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ElsewhereError } from '../base/errors.ts';
import { originals } from '../base/originals.ts';
import type { Connection } from './connection.ts';

export type Fs = typeof originals.fs;

export interface FileJob {
  readonly conn: Connection;
  readonly from: string;
  readonly to: string;
  readonly mode: number;
  /** Keeps what has come of it when it fails, and goes on with what was kept. */
  readonly resume: boolean;
  /** Told of bytes as they come, and of those that are there already. */
  progress(bytes: number): void;
}

export interface FileResult {
  readonly bytes: number;
  /** Bytes of it that were there already. */
  readonly resumed: number;
}

/** The beginning of a file, as long as it is. */
interface Have {
  readonly bytes: number;
  readonly sha256: string;
}

const CHUNK = 65_536;
const NOTHING: Have = { bytes: 0, sha256: '' };

/** The far side's own module: a path that goes home arrives there as what it leads to. */
export function farFs(conn: Connection): Fs {
  return conn.modules.fs as unknown as Fs;
}

export async function sendFile(job: FileJob): Promise<FileResult> {
  const { conn, from, to, mode, resume } = job;
  const { fs } = originals;
  const [far, hasher] = [farFs(conn), hashOf.toString()];
  const part = partOf(to, resume);
  if (resume && (await isSame(await conn.run(farHave, far, hasher, to), from)))
    return there(job, (await fs.promises.stat(from)).size);
  const have = resume ? await conn.run(farHave, far, hasher, part) : NOTHING;
  const { hash, bytes: start } = await beginning(from, have);
  job.progress(start);
  const stream = fs.createReadStream(from, { start, highWaterMark: CHUNK });
  stream.on('data', (chunk) => {
    hash.update(chunk);
    job.progress(chunk.length);
  });
  // Listening alone would set it going.
  stream.pause();
  const expected = (): string => hash.digest('hex');
  const task = { path: to, part, start, mode, keep: resume };
  const bytes = await conn.run(farReceive, far, hasher, task, stream, expected);
  return { bytes, resumed: start };
}

export async function fetchFile(job: FileJob): Promise<FileResult> {
  const { conn, from, to, resume } = job;
  const [far, hasher] = [farFs(conn), hashOf.toString()];
  const part = partOf(to, resume);
  if (resume) {
    const done = await haveOf(to);
    if (await isEqual(conn, from, done)) return there(job, done.bytes);
  }
  const have = resume ? await haveOf(part) : NOTHING;
  const sent = (await conn.run(farSend, far, hasher, from, have)) as unknown as {
    start: number;
    stream: Readable;
    digest: () => Promise<string>;
  };
  job.progress(sent.start);
  try {
    const bytes = await receive(job, part, sent);
    return { bytes, resumed: sent.start };
  } catch (error) {
    if (!resume || isDamage(error)) await originals.fs.promises.rm(part, { force: true });
    throw error;
  }
}

async function receive(
  { from, to, mode, progress }: FileJob,
  part: string,
  { start, stream, digest }: { start: number; stream: Readable; digest: () => Promise<string> },
): Promise<number> {
  const { fs } = originals;
  const { hash } = await hashOf(fs, part, start);
  let bytes = start;
  if (start > 0) await fs.promises.truncate(part, start);
  await pipeline(
    stream,
    async function* (source: AsyncIterable<Buffer>) {
      for await (const chunk of source) {
        hash.update(chunk);
        bytes += chunk.length;
        progress(chunk.length);
        yield chunk;
      }
    },
    fs.createWriteStream(part, start > 0 ? { flags: 'r+', start } : { mode }),
  );
  if ((await digest()) !== hash.digest('hex')) throw damaged(from);
  await fs.promises.rename(part, to);
  return bytes;
}

/** One name for all attempts, or one that nobody else has. */
function partOf(path: string, resume: boolean): string {
  return resume ? `${path}.part` : `${path}.${randomBytes(4).toString('hex')}.part`;
}

function there({ progress }: FileJob, bytes: number): FileResult {
  progress(bytes);
  return { bytes, resumed: bytes };
}

/** Where to go on in a file of this side, for who has a part of it. */
async function beginning(path: string, have: Have): ReturnType<typeof hashOf> {
  const found = await hashOf(originals.fs, path, have.bytes);
  const isOurs = found.bytes === have.bytes && found.hash.copy().digest('hex') === have.sha256;
  return isOurs ? found : hashOf(originals.fs, path, 0);
}

async function haveOf(path: string): Promise<Have> {
  try {
    const { bytes, hash } = await hashOf(originals.fs, path, Number.POSITIVE_INFINITY);
    return { bytes, sha256: hash.digest('hex') };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return NOTHING;
    throw error;
  }
}

async function isSame(have: Have, path: string): Promise<boolean> {
  if (have.sha256 === '' || (await originals.fs.promises.stat(path)).size !== have.bytes)
    return false;
  return (await haveOf(path)).sha256 === have.sha256;
}

async function isEqual(conn: Connection, path: string, have: Have): Promise<boolean> {
  if (have.sha256 === '') return false;
  const { size } = await conn.run(farStat, farFs(conn), path);
  return (
    size === have.bytes &&
    (await conn.run(farHave, farFs(conn), hashOf.toString(), path)).sha256 === have.sha256
  );
}

const DAMAGED = 'arrived damaged (its SHA-256 differs): it was not kept';

function damaged(path: string): ElsewhereError {
  return new ElsewhereError('ERR_ELSEWHERE_PROTOCOL', `${path} ${DAMAGED}`);
}

function isDamage(error: unknown): boolean {
  return (error as Error).message.endsWith(DAMAGED);
}

/** Of the first bytes of a file. Also sent to the far side, so it uses nothing but its arguments. */
async function hashOf(
  fs: Fs,
  path: string,
  end: number,
): Promise<{ bytes: number; hash: import('node:crypto').Hash }> {
  const hash = process.getBuiltinModule('node:crypto').createHash('sha256');
  let bytes = 0;
  if (end > 0)
    for await (const chunk of fs.createReadStream(path, { end: end - 1, highWaterMark: 262144 })) {
      hash.update(chunk);
      bytes += chunk.length;
    }
  return { bytes, hash };
}

function farStat(fs: Fs, path: string): { size: number } {
  return { size: fs.statSync(path).size };
}

async function farHave(fs: Fs, hasher: string, path: string): Promise<Have> {
  const hashed = new Function(`return (${hasher})`)() as typeof hashOf;
  if (!fs.existsSync(path)) return { bytes: 0, sha256: '' };
  const { bytes, hash } = await hashed(fs, path, Number.POSITIVE_INFINITY);
  return { bytes, sha256: hash.digest('hex') };
}

async function farSend(fs: Fs, hasher: string, path: string, have: Have): Promise<unknown> {
  const hashed = new Function(`return (${hasher})`)() as typeof hashOf;
  let { bytes: start, hash } = await hashed(fs, path, have.bytes);
  if (start !== have.bytes || hash.copy().digest('hex') !== have.sha256)
    ({ bytes: start, hash } = await hashed(fs, path, 0));
  const stream = fs.createReadStream(path, { start, highWaterMark: 65536 });
  stream.on('data', (chunk) => hash.update(chunk));
  stream.pause();
  return { start, stream, digest: () => hash.digest('hex') };
}

interface Task {
  readonly path: string;
  readonly part: string;
  readonly start: number;
  readonly mode: number;
  readonly keep: boolean;
}

async function farReceive(
  fs: Fs,
  hasher: string,
  { path, part, start, mode, keep }: Task,
  source: Readable,
  expected: () => unknown,
): Promise<number> {
  const hashed = new Function(`return (${hasher})`)() as typeof hashOf;
  const { hash } = await hashed(fs, part, start);
  const file = await fs.promises.open(part, start > 0 ? 'r+' : 'w', mode);
  let bytes = start;
  let whole = false;
  try {
    await file.truncate(start);
    for await (const chunk of source) {
      hash.update(chunk);
      await file.write(chunk, 0, chunk.length, bytes);
      bytes += chunk.length;
    }
    await file.close();
    whole = true;
    if ((await expected()) !== hash.digest('hex'))
      throw new Error(`${path} arrived damaged (its SHA-256 differs): it was not kept`);
    await fs.promises.rename(part, path);
  } catch (error) {
    await file.close().catch(() => undefined);
    if (whole || !keep) await fs.promises.rm(part, { force: true });
    throw error;
  }
  return bytes;
}

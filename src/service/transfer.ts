/**
 * Files and folders to and from the far side: streamed, verified by SHA-256, put in place under their name only when they
 * are whole. The functions named "far" are sent as source and run there. Classic mode.
 */
import { createHash, randomBytes } from 'node:crypto';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { runDetached } from '../base/context.ts';
import { ElsewhereError } from '../base/errors.ts';
import { originals } from '../base/originals.ts';
import type { Connection } from './connection.ts';

type Fs = typeof originals.fs;

export interface TransferOptions {
  /** Whether a file or folder is taken; its path is relative to the root of the transfer, with `/`. */
  readonly filter?: (path: string) => boolean;
  /** Told after each file: the bytes so far, and its relative path ('' where the root is a file). */
  readonly onProgress?: (bytes: number, path: string) => void;
  readonly signal?: AbortSignal;
}

export interface TransferStats {
  readonly files: number;
  readonly bytes: number;
}

/** [relative path, kind, mode, what a link points to] */
type Entry = readonly [path: string, kind: 'file' | 'folder' | 'link', mode: number, to: string];

/** Copies a file or a folder of this machine to the far side. Rejects with what failed; files before it are complete. */
export function upload(
  conn: Connection,
  local: string,
  remote: string,
  options: TransferOptions = {},
): Promise<TransferStats> {
  return runDetached(async () => {
    const entries = chosen(await listTree(originals.fs, local), options);
    const far = farFs(conn);
    return transfer(entries, options, {
      folder: (path) => conn.run(farFolder, far, join(remote, path)),
      link: (path, to) => conn.run(farLink, far, join(remote, path), to),
      file: async (path, mode) => {
        const digest = createHash('sha256');
        const stream = originals.fs.createReadStream(join(local, path), { highWaterMark: 65_536 });
        stream.on('data', (chunk) => digest.update(chunk));
        // Listening alone would set it going.
        stream.pause();
        const expected = (): string => digest.digest('hex');
        return conn.run(farReceive, far, join(remote, path), mode, stream, expected);
      },
    });
  });
}

/** Copies a file or a folder of the far side to this machine. Names that would lead out of `local` are refused. */
export function download(
  conn: Connection,
  remote: string,
  local: string,
  options: TransferOptions = {},
): Promise<TransferStats> {
  return runDetached(async () => {
    const found = (await conn.run(
      farTree,
      farFs(conn),
      listTree.toString(),
      remote,
    )) as readonly Entry[];
    const entries = chosen(found, options);
    for (const [path] of entries) refuseOutside(path);
    const { promises: fs } = originals.fs;
    return transfer(entries, options, {
      folder: async (path) => void (await fs.mkdir(join(local, path), { recursive: true })),
      link: (path, to) => fs.symlink(to, join(local, path)),
      file: (path, mode) => receive(conn, join(remote, path), join(local, path), mode),
    });
  });
}

interface Steps {
  folder(path: string): Promise<unknown>;
  link(path: string, to: string): Promise<unknown>;
  /** Resolves with the number of bytes. */
  file(path: string, mode: number): Promise<number>;
}

/** Links last: nothing is ever written through one. */
async function transfer(
  entries: readonly Entry[],
  { onProgress, signal }: TransferOptions,
  steps: Steps,
): Promise<TransferStats> {
  let files = 0;
  let bytes = 0;
  for (const [path, kind, mode] of entries) {
    signal?.throwIfAborted();
    if (kind === 'folder') await steps.folder(path);
    if (kind !== 'file') continue;
    bytes += await steps.file(path, mode);
    files++;
    onProgress?.(bytes, path);
  }
  for (const [path, kind, , to] of entries) if (kind === 'link') await steps.link(path, to);
  return { files, bytes };
}

async function receive(conn: Connection, from: string, to: string, mode: number): Promise<number> {
  const { fs } = originals;
  const { stream, digest } = (await conn.run(farSend, farFs(conn), from)) as unknown as {
    stream: Readable;
    digest: () => Promise<string>;
  };
  const hash = createHash('sha256');
  let bytes = 0;
  const part = `${to}.${randomBytes(4).toString('hex')}.part`;
  try {
    await pipeline(
      stream,
      async function* (source: AsyncIterable<Buffer>) {
        for await (const chunk of source) {
          hash.update(chunk);
          bytes += chunk.length;
          yield chunk;
        }
      },
      fs.createWriteStream(part, { mode, flags: 'wx' }),
    );
    if ((await digest()) !== hash.digest('hex')) throw damaged(from);
    await fs.promises.rename(part, to);
  } catch (error) {
    await fs.promises.rm(part, { force: true });
    throw error;
  }
  return bytes;
}

function chosen(entries: readonly Entry[], { filter }: TransferOptions): readonly Entry[] {
  if (filter === undefined) return entries;
  const refused = entries.filter(([path]) => path !== '' && !filter(path)).map(([path]) => path);
  return entries.filter(
    ([path]) => !refused.some((folder) => path === folder || path.startsWith(`${folder}/`)),
  );
}

/** The far side's names are its own choice: none may lead elsewhere. */
function refuseOutside(path: string): void {
  const names = path.split('/');
  const bad = (name: string): boolean =>
    name === '' || name === '.' || name === '..' || /[\\\0]/.test(name);
  if (path !== '' && names.some(bad))
    throw new ElsewhereError(
      'ERR_ELSEWHERE_PROTOCOL',
      `the far side sent a file name that leads out of the folder: ${JSON.stringify(path)}`,
    );
}

function damaged(path: string): ElsewhereError {
  return new ElsewhereError(
    'ERR_ELSEWHERE_PROTOCOL',
    `${path} arrived damaged (its SHA-256 differs): it was not kept`,
  );
}

/** The far side's own module: a path that goes home arrives there as what it leads to. */
function farFs(conn: Connection): Fs {
  return conn.modules.fs as unknown as Fs;
}

/** A folder before what is in it. Also sent to the far side, so it uses nothing but its arguments. */
async function listTree(fs: Fs, root: string): Promise<Entry[]> {
  const entries: Entry[] = [];
  const visit = async (path: string): Promise<void> => {
    const full = `${root}${path && '/'}${path}`;
    const stat = await fs.promises[path === '' ? 'stat' : 'lstat'](full);
    if (stat.isSymbolicLink()) entries.push([path, 'link', 0, await fs.promises.readlink(full)]);
    else if (stat.isFile()) entries.push([path, 'file', stat.mode & 0o777, '']);
    else if (stat.isDirectory()) {
      entries.push([path, 'folder', stat.mode & 0o777, '']);
      for (const name of await fs.promises.readdir(full))
        await visit(`${path}${path && '/'}${name}`);
    }
  };
  await visit('');
  return entries;
}

function farTree(fs: Fs, lister: string, root: string): unknown {
  return new Function(`return (${lister})`)()(fs, root);
}

function farFolder(fs: Fs, path: string): void {
  fs.mkdirSync(path, { recursive: true });
}

function farLink(fs: Fs, path: string, to: string): void {
  fs.symlinkSync(to, path);
}

function farSend(fs: Fs, path: string): unknown {
  const hash = (require('node:crypto') as typeof import('node:crypto')).createHash('sha256');
  const stream = fs.createReadStream(path, { highWaterMark: 65536 });
  stream.on('data', (chunk) => hash.update(chunk));
  stream.pause();
  return { stream, digest: () => hash.digest('hex') };
}

async function farReceive(
  fs: Fs,
  path: string,
  mode: number,
  source: Readable,
  expected: () => unknown,
): Promise<number> {
  const crypto = require('node:crypto') as typeof import('node:crypto');
  const hash = crypto.createHash('sha256');
  const part = `${path}.${crypto.randomBytes(4).toString('hex')}.part`;
  const file = await fs.promises.open(part, 'wx', mode);
  let bytes = 0;
  try {
    for await (const chunk of source) {
      hash.update(chunk);
      bytes += chunk.length;
      await file.writeFile(chunk);
    }
    await file.close();
    if ((await expected()) !== hash.digest('hex'))
      throw new Error(`${path} arrived damaged (its SHA-256 differs): it was not kept`);
    await fs.promises.rename(part, path);
  } catch (error) {
    await file.close().catch(() => undefined);
    await fs.promises.rm(part, { force: true });
    throw error;
  }
  return bytes;
}

/**
 * Puts the package of this machine that `specifier` names into the far side's `node_modules`, without what it depends on.
 * Resolves with the specifier for `conn.import`.
 */
export async function uploadModule(
  conn: Connection,
  specifier: string,
  { from = originals.process.cwd() }: { readonly from?: string } = {},
): Promise<string> {
  const { fs } = originals;
  let folder = from;
  while (!fs.existsSync(join(folder, 'node_modules', specifier))) {
    const parent = dirname(folder);
    if (parent === folder)
      throw new ElsewhereError(
        'ERR_ELSEWHERE_ARGUMENT',
        `there is no package ${JSON.stringify(specifier)} in ${from} or above it`,
      );
    folder = parent;
  }
  const to = join(conn.peer.cwd, 'node_modules', specifier);
  await upload(conn, fs.realpathSync(join(folder, 'node_modules', specifier)), to, {
    filter: (path) => path !== 'node_modules',
  });
  return specifier;
}

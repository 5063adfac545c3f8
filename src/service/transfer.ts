/**
 * Files and folders to and from the far side. The functions named "far" are sent as source and run there. Classic mode.
 */
import { dirname, join } from 'node:path';
import { runDetached } from '../base/context.ts';
import { ElsewhereError } from '../base/errors.ts';
import { originals } from '../base/originals.ts';
import type { Connection } from './connection.ts';
import { type FileResult, type Fs, farFs, fetchFile, sendFile } from './transfer-file.ts';

export interface TransferOptions {
  /** Whether a file or folder is taken; its path is relative to the root of the transfer, with `/`. */
  readonly filter?: (path: string) => boolean;
  /**
   * Told of bytes as they come: those so far (or there already), the relative path of their file ('' where the root is
   * one), and how many there are in all.
   */
  readonly onProgress?: (bytes: number, path: string, total: number) => void;
  /**
   * What has come of a file when it fails, or this process ends, is kept beside it as `NAME.part`, and the next time gone
   * on with, once its bytes are proven to be the beginning of the file. Files that are there already are not sent
   * again. Default false.
   */
  readonly resume?: boolean;
  readonly signal?: AbortSignal;
}

export interface TransferStats {
  readonly files: number;
  readonly bytes: number;
  /** Those of the bytes that were there already, by `resume`. */
  readonly resumed: number;
}

/** [relative path, kind, mode, what a link points to, bytes of a file] */
type Entry = readonly [
  path: string,
  kind: 'file' | 'folder' | 'link',
  mode: number,
  to: string,
  bytes: number,
];

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
      link: (path, to) => conn.run(makeLink, far, join(remote, path), to),
      file: (job) => sendFile({ ...job, conn, ...ends(job.path, local, remote) }),
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
    return transfer(entries, options, {
      folder: async (path) => {
        await refuseLinks(local, `${path}/`);
        await originals.fs.promises.mkdir(join(local, path), { recursive: true });
      },
      link: async (path, to) => makeLink(originals.fs, join(local, path), to),
      file: async (job) => {
        await refuseLinks(local, job.path);
        return fetchFile({ ...job, conn, ...ends(job.path, remote, local) });
      },
    });
  });
}

interface Job {
  readonly path: string;
  readonly mode: number;
  readonly resume: boolean;
  progress(bytes: number): void;
}

interface Steps {
  folder(path: string): Promise<unknown>;
  link(path: string, to: string): Promise<unknown>;
  file(job: Job): Promise<FileResult>;
}

function ends(path: string, from: string, to: string): { from: string; to: string } {
  return { from: join(from, path), to: join(to, path) };
}

/** Links last: nothing is ever written through one. */
async function transfer(
  entries: readonly Entry[],
  { onProgress, resume = false, signal }: TransferOptions,
  steps: Steps,
): Promise<TransferStats> {
  const total = entries.reduce((sum, [, , , , bytes]) => sum + bytes, 0);
  let [files, bytes, resumed, shown] = [0, 0, 0, 0];
  for (const [path, kind, mode] of entries) {
    signal?.throwIfAborted();
    if (kind === 'folder') await steps.folder(path);
    if (kind !== 'file') continue;
    const progress = (more: number): void => {
      shown += more;
      onProgress?.(shown, path, total);
    };
    const done = await steps.file({ path, mode, resume, progress });
    files++;
    bytes += done.bytes;
    resumed += done.resumed;
  }
  for (const [path, kind, , to] of entries) if (kind === 'link') await steps.link(path, to);
  return { files, bytes, resumed };
}

/** Nothing is written through a link that is there already, perhaps from an earlier transfer. */
async function refuseLinks(root: string, path: string): Promise<void> {
  const names = path
    .split('/')
    .slice(0, -1)
    .filter((name) => name !== '');
  for (let i = 1; i <= names.length; i++) {
    const folder = join(root, ...names.slice(0, i));
    const stat = await originals.fs.promises.lstat(folder).catch(() => undefined);
    if (stat?.isSymbolicLink())
      throw new ElsewhereError(
        'ERR_ELSEWHERE_DENIED',
        `${folder} is a symbolic link here: nothing is written through it`,
      );
  }
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

/** A folder before what is in it. Also sent to the far side, so it uses nothing but its arguments. */
async function listTree(fs: Fs, root: string): Promise<Entry[]> {
  const entries: Entry[] = [];
  const visit = async (path: string): Promise<void> => {
    const full = `${root}${path && '/'}${path}`;
    const stat = await fs.promises[path === '' ? 'stat' : 'lstat'](full);
    if (stat.isSymbolicLink()) entries.push([path, 'link', 0, await fs.promises.readlink(full), 0]);
    else if (stat.isFile()) entries.push([path, 'file', stat.mode & 0o777, '', stat.size]);
    else if (stat.isDirectory()) {
      entries.push([path, 'folder', stat.mode & 0o777, '', 0]);
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

/** One that is there already and leads to the same place will do. Also sent to the far side. */
function makeLink(fs: Fs, path: string, to: string): void {
  try {
    fs.symlinkSync(to, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    const stat = fs.lstatSync(path);
    if (!stat.isSymbolicLink() || fs.readlinkSync(path) !== to) throw error;
  }
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

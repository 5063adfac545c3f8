/**
 * The agent's policy at the entry of the fs patch: each path is resolved, links included, before an operation sees it.
 * Between the check and the operation another process of this machine could exchange a directory for a link: the policy
 * does not hold against who may already change the allowed directories from there.
 */
import fs from 'node:fs';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { ElsewhereError } from '../../src/base/errors.ts';
import type { PolicyView, RemoteHalf } from '../../src/patch.ts';
import type { FsApi, FsStreams, WirePath } from './api.ts';

type FarStreams = NonNullable<RemoteHalf<FsApi, FsStreams>['streams']>;
type Right = 'read' | 'write';
/** What an operation needs of its first and second path; `link` is the link itself, not what it leads to. */
interface Need {
  readonly syscall: string;
  readonly first: Right;
  readonly second?: Right;
  readonly link?: true;
}

const read = (syscall: string): Need => ({ syscall, first: 'read' });
const readLink = (syscall: string): Need => ({ syscall, first: 'read', link: true });
const write = (syscall: string): Need => ({ syscall, first: 'write' });
const writeLink = (syscall: string): Need => ({ syscall, first: 'write', link: true });
const copy = (syscall: string): Need => ({ syscall, first: 'read', second: 'write' });

/** Every operation with a path. Those that are not here work on what was opened before. */
const NEEDS: { readonly [K in keyof FsApi]?: Need } = {
  access: read('access'),
  stat: read('stat'),
  lstat: readLink('lstat'),
  statfs: read('statfs'),
  readFile: read('open'),
  readdir: read('scandir'),
  readdirRecursive: read('scandir'),
  opendir: read('opendir'),
  readlink: readLink('readlink'),
  realpath: read('realpath'),
  watch: read('watch'),
  open: read('open'),
  writeFile: write('open'),
  mkdir: write('mkdir'),
  mkdtemp: write('mkdtemp'),
  rmdir: write('rmdir'),
  unlink: writeLink('unlink'),
  chmod: write('chmod'),
  chown: write('chown'),
  lchown: writeLink('lchown'),
  utimes: write('utime'),
  lutimes: writeLink('lutime'),
  remove: writeLink('rm'),
  rename: { syscall: 'rename', first: 'write', second: 'write', link: true },
  link: { syscall: 'link', first: 'write', second: 'write', link: true },
  symlink: { syscall: 'symlink', first: 'read', second: 'write', link: true },
  copyFile: copy('copyfile'),
  copyTree: copy('cp'),
  copyStep: copy('cp'),
};

/** What works on a file or directory that was opened before, and does no more than it was opened for. */
const OPENED: readonly string[] = [
  'close',
  'discard',
  'fstat',
  'read',
  'write',
  'ftruncate',
  'fsync',
  'fdatasync',
  'drain',
  'readDirectory',
  'closeDirectory',
] satisfies (keyof FsApi)[];

/** The two that never fail: what may not be read is not there. */
const DENIED: Readonly<Record<string, unknown>> = { exists: false, kind: -2 };

function mayRead(policy: PolicyView, path: WirePath): boolean {
  try {
    refuse(policy, 'read', path, 'access', false);
    return true;
  } catch {
    return false;
  }
}

/** The same operations behind the policy; as they are where there is none. */
export function guarded<C extends object>(policy: PolicyView, calls: C): C {
  if (!policy.restricted) return calls;
  const behind = Object.entries(calls).map(([name, call]) => {
    const run = call as (...args: unknown[]) => unknown;
    return [
      name,
      (...args: unknown[]): unknown => {
        if (name in DENIED && !mayRead(policy, args[0] as WirePath)) return DENIED[name];
        const need = NEEDS[name as keyof FsApi];
        if (need !== undefined) check(policy, name, need, args);
        else if (!OPENED.includes(name) && !(name in DENIED))
          throw denial(name, `the agent's policy does not let clients use ${name}`);
        return run(...args);
      },
    ] as const;
  });
  return Object.fromEntries(behind) as unknown as C;
}

export function guardedStreams(policy: PolicyView, streams: FarStreams): FarStreams {
  return {
    ...streams,
    polling: (stream, path, interval) => {
      if (policy.restricted) refuse(policy, 'read', path, 'watch', false);
      streams.polling(stream, path, interval);
    },
  };
}

function check(policy: PolicyView, name: string, need: Need, args: unknown[]): void {
  if (name === 'copyStep')
    throw denial('cp', "the agent's policy allows no cpSync: use copyFile, file by file");
  const { syscall, first, second, link = false } = need;
  const [one, two] = args as [WirePath, WirePath];
  if (name === 'open' || name === 'readFile') return checkOpen(policy, one, Number(args[1]));
  if (name === 'symlink')
    refuse(policy, first, from(dirname(text(two)), text(one)), syscall, false);
  else refuse(policy, first, one, syscall, link);
  if (second !== undefined) refuse(policy, second, two, syscall, link);
  // Inside a tree there may be links, on both sides, that lead anywhere.
  if (name === 'copyTree' && isDirectory(one))
    throw denial('cp', "the agent's policy allows no copy of a whole directory: copy file by file");
  // Node's blocking form would follow links out of the directory.
  if (name === 'readdirRecursive') args[2] = false;
}

/** Linux's numbers, as on the wire. */
const ACCESS = 3;
const CREATES_OR_CUTS = 0o100 | 0o1000;

function checkOpen(policy: PolicyView, path: WirePath, flags: number): void {
  const access = flags & ACCESS;
  if (access !== 1) refuse(policy, 'read', path, 'open', false);
  if (access !== 0 || (flags & CREATES_OR_CUTS) !== 0) refuse(policy, 'write', path, 'open', false);
}

function refuse(
  policy: PolicyView,
  right: Right,
  path: WirePath,
  syscall: string,
  link: boolean,
): void {
  const whole = from(process.cwd(), text(path));
  const real = link ? ofLink(whole) : realPath(whole, 0);
  const reason = right === 'read' ? policy.read(real) : policy.write(real);
  if (reason !== undefined) throw denial(syscall, reason);
}

/** Names that are no UTF-8 cannot be compared with the policy's. */
function text(path: WirePath): string {
  if (typeof path === 'string') return path;
  const written = Buffer.from(path).toString();
  if (!Buffer.from(written).equals(path))
    throw denial('open', "the agent's policy allows no names that are not UTF-8");
  return written;
}

/** Not normalised: what `..` leads to behind a link is for the system to say. */
function from(directory: string, path: string): string {
  return isAbsolute(path) ? path : `${directory}/${path}`;
}

function ofLink(path: string): string {
  return path === '/' ? path : join(realPath(dirname(path), 0), basename(path));
}

function isDirectory(path: WirePath): boolean {
  return fs.statSync(text(path), { throwIfNoEntry: false })?.isDirectory() === true;
}

const MOST_LINKS = 40;

/** Also of what is not there yet: the part that is there, resolved, and the rest. */
function realPath(path: string, links: number): string {
  try {
    return fs.realpathSync.native(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error;
  }
  if (path === '/') return path;
  const at = join(realPath(dirname(path), links), basename(path));
  const target = linkTarget(at);
  if (target === undefined) return at;
  if (links >= MOST_LINKS)
    throw Object.assign(new Error('too many links'), { code: 'ELOOP', syscall: 'open' });
  return realPath(from(dirname(at), target), links + 1);
}

function linkTarget(path: string): string | undefined {
  try {
    return fs.readlinkSync(path);
  } catch {
    return undefined;
  }
}

function denial(syscall: string, reason: string): Error {
  const cause = new ElsewhereError('ERR_ELSEWHERE_DENIED', reason);
  // With a path, for the near side to show its own.
  return Object.assign(new Error(reason, { cause }), { code: 'EACCES', syscall, path: '' });
}

/** Paths on their way to the far side: the scope's filters, the scope's working directory, and the forms Node accepts. */
import { isAbsolute, win32 } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FsContext, FsTarget, WirePath } from './api.ts';
import { asBuffer } from './values.ts';

/** A path that belongs to the far side. */
export interface RemotePath {
  readonly target: FsTarget;
  readonly path: WirePath;
  /** What `path` has in front that the caller did not write; '' for an absolute one. */
  readonly prefix: string;
}

export function isPath(value: unknown): value is WirePath {
  return typeof value === 'string' || value instanceof Uint8Array;
}

/** Where a path of the running code leads; undefined when it is local. Throws EACCES for a denied one. */
export function remotePath(
  context: FsContext,
  path: WirePath,
  operation: string,
): RemotePath | undefined {
  const text = typeof path === 'string' ? path : Buffer.from(path).toString();
  const decision = context.decide(text, operation);
  if (decision === undefined) return undefined;
  const { target } = decision;
  // Bytes that are not UTF-8 survive, unless the scope maps the path.
  const given = decision.path === text ? path : decision.path;
  const prefix = prefixOf(given, target);
  if (prefix === '') return { target, path: given, prefix };
  return { target, path: joined(prefix, given), prefix };
}

/** Not the empty path, which names nothing. */
export function isRelative(value: unknown): value is WirePath {
  return isPath(value) && value.length > 0 && !isAbsolute(String(value));
}

/**
 * For calls that stay here: their relative paths start in the scope's working directory, which need not be this
 * process's. Changes those of `args`, the call's own, that stand at `places`.
 */
export function placeHere(
  context: FsContext,
  args: readonly unknown[],
  ...places: readonly number[]
): void {
  const cwd = context.target()?.scope.cwd;
  if (cwd?.startsWith('/') !== true || cwd === context.locally(() => process.cwd())) return;
  for (const at of places) {
    const path = args[at];
    if (isRelative(path))
      (args as unknown[])[at] = joined(cwd.endsWith('/') ? cwd : `${cwd}/`, path);
  }
}

function joined(prefix: string, path: WirePath): WirePath {
  return typeof path === 'string' ? prefix + path : Buffer.concat([Buffer.from(prefix), path]);
}

/** Joined as text, not resolved: the far side's kernel decides what `link/..` means. The empty path names nothing. */
function prefixOf(path: WirePath, target: FsTarget): string {
  if (path.length === 0) return '';
  const windows = target.peer.platform === 'win32';
  const absolute =
    typeof path !== 'string'
      ? path[0] === 47
      : windows
        ? win32.isAbsolute(path)
        : path.startsWith('/');
  if (absolute) return '';
  const { cwd } = target.scope;
  return cwd.endsWith('/') ? cwd : `${cwd}/`;
}

/** The empty path names nothing, but for the few functions that take it for the working directory. */
export function emptyAsDirectory(path: RemotePath): RemotePath {
  if (path.path.length > 0) return path;
  const { cwd } = path.target.scope;
  const prefix = cwd.endsWith('/') ? cwd : `${cwd}/`;
  return { ...path, path: prefix, prefix };
}

/** A path of the far side as the caller would have got it: without what we put in front. */
export function withoutPrefix(bytes: Uint8Array, prefix: string): Buffer {
  const all = asBuffer(bytes);
  if (prefix === '' || !all.toString().startsWith(prefix)) return all;
  return all.subarray(Buffer.byteLength(prefix));
}

/**
 * The path that one of Node's public functions was given, if it is one that Node accepts: undefined means that Node's
 * own function should be called, which throws the right error.
 */
export function givenPath(path: unknown): WirePath | undefined {
  if (path instanceof URL) return fromUrl(path);
  if (typeof path === 'string') return path.includes('\0') ? undefined : path;
  return path instanceof Uint8Array && !path.includes(0) ? path : undefined;
}

function fromUrl(url: URL): string | undefined {
  try {
    const path = fileURLToPath(url);
    return isAbsolute(path) && !path.includes('\0') ? path : undefined;
  } catch {
    return undefined;
  }
}

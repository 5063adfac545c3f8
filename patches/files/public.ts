/**
 * The public functions of fs that the binding's operations do not reach: their native parts are closed to us. In a scope
 * they are done another way, or refused; outside, and for local paths, Node's own function runs.
 */
import nodeFs, { type Dir, type OpenDirOptions } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { likeOriginal } from '../../src/base/shape.ts';
import type { LocalContext } from '../../src/patch.ts';
import type { FsApi } from './api.ts';
import { noteChange } from './descriptors.ts';
import { type Entries, listEntries, makeDir, readEntries } from './directory.ts';
import { localError, unsupported } from './errors.ts';
import type { PathRoute, PathRouter } from './paths.ts';
import { encoded } from './values.ts';

type Callable = (...args: never[]) => unknown;
type Callback = (error: unknown, value?: unknown) => void;

/** How a public function behaves in a scope, for a path that leads to the far side. */
type Remote = (route: PathRoute, args: unknown[], self: Callable) => unknown;

export function substitutePublic(context: LocalContext<FsApi>, router: PathRouter): void {
  const put = (holder: object, name: string, remote: Remote): void => {
    const original = (holder as Record<string, Callable | undefined>)[name];
    // Older Nodes lack some.
    if (original === undefined) return;
    const substitute = function (this: unknown, ...args: unknown[]): unknown {
      if (router.local) return original.apply(this, args as never[]);
      const path = textPath(args[0]);
      // Arguments that are no path fail as Node has them fail.
      const route =
        path === undefined ? undefined : router.routeUnlessLoader(path, name, substitute);
      return route === undefined
        ? original.apply(this, args as never[])
        : remote(route, args, substitute);
    };
    context.replace(
      holder as Record<string, Callable>,
      name,
      likeOriginal(original, substitute as Callable),
    );
  };
  putDirectories(put);
  putCopies(put, router);
  putBlobs(put);
  putRealpath(put);
  for (const name of ['watch', 'watchFile', 'unwatchFile'])
    put(nodeFs, name, refuse(`fs.${name}`, 'watch from a process over there, or poll fs.stat'));
  put(
    nodeFs.promises,
    'watch',
    refuse('fs.promises.watch', 'watch from a process over there, or poll fs.stat'),
  );
}

type Put = (holder: object, name: string, remote: Remote) => void;

function refuse(what: string, instead: string): Remote {
  return () => {
    throw unsupported(what, instead);
  };
}

function textPath(path: unknown): string | Uint8Array | undefined {
  if (path instanceof URL) return path.protocol === 'file:' ? fileURLToPath(path) : undefined;
  if (typeof path === 'string') return path.includes('\0') || path === '' ? undefined : path;
  return path instanceof Uint8Array ? path : undefined;
}

function putDirectories(put: Put): void {
  const options = (value: unknown): OpenDirOptions => {
    const given = (
      typeof value === 'string' ? { encoding: value } : (value ?? {})
    ) as OpenDirOptions;
    if ((given as { recursive?: boolean }).recursive === true)
      throw unsupported('opendir with recursive', 'use readdir with recursive');
    return given;
  };
  put(nodeFs, 'opendirSync', (route, [path, given], self) => {
    const wanted = options(given);
    return makeDir(listEntries(route, path, self), path, wanted);
  });
  put(nodeFs, 'opendir', (route, args) => {
    const callback = args.at(-1) as Callback;
    const wanted = options(args.length > 2 ? args[1] : undefined);
    readEntries(route, args[0]).then(
      (entries) => setImmediate(callback, null, makeDir(entries, args[0], wanted)),
      (error: unknown) => setImmediate(callback, error),
    );
  });
  put(nodeFs.promises, 'opendir', async (route, [path, given]): Promise<Dir> => {
    const wanted = options(given);
    const entries: Entries = await readEntries(route, path);
    return makeDir(entries, path, wanted);
  });
}

/** Whole trees in one trip; with a filter of the caller's, Node's JavaScript walks the tree over the operations. */
function putCopies(put: Put, router: PathRouter): void {
  const destination = (route: PathRoute, args: unknown[]): PathRoute => {
    const path = textPath(args[1]);
    const to = path === undefined ? undefined : router.route(path, 'cp');
    if (to === undefined || to.target !== route.target)
      throw unsupported(
        'cp between the two sides',
        'copy the files one by one (copyFile), or use streams',
      );
    noteChange(route.target.connection);
    return to;
  };
  const plain = (options: unknown): Readonly<Record<string, unknown>> => {
    const { filter, ...rest } = (options ?? {}) as Record<string, unknown>;
    if (filter !== undefined)
      throw unsupported('cp with a filter', 'list the tree with readdir and copy what you want');
    return rest;
  };
  put(nodeFs, 'cpSync', (route, args, self) => {
    try {
      route.target.callSync('cp', route.path, destination(route, args).path, plain(args[2]));
    } catch (error) {
      throw localError(error, { path: args[0], dest: args[1], above: self });
    }
  });
  const promised = async (route: PathRoute, args: unknown[]): Promise<void> => {
    try {
      await route.target.call('cp', route.path, destination(route, args).path, plain(args[2]));
    } catch (error) {
      throw localError(error, { path: args[0], dest: args[1] });
    }
  };
  put(nodeFs.promises, 'cp', promised);
  put(nodeFs, 'cp', (route, args) => {
    const callback = args.at(-1) as Callback;
    const given = args.length > 3 ? args : [args[0], args[1], undefined];
    promised(route, given).then(
      () => setImmediate(callback, null),
      (error: unknown) => setImmediate(callback, error),
    );
  });
}

function putBlobs(put: Put): void {
  const options = (given: unknown): { type?: string } =>
    (given as { type?: string } | undefined) ?? {};
  put(nodeFs, 'openAsBlob', async (route, [, given]) => {
    // The whole content travels now: a blob may be read at any time later, in or out of the scope.
    return new Blob(
      [Uint8Array.from(await route.target.call('readFile', route.path, 0))],
      options(given),
    );
  });
  put(
    nodeFs,
    'openAsBlobSync',
    (route, [, given]) =>
      new Blob([Uint8Array.from(route.target.callSync('readFile', route.path, 0))], options(given)),
  );
}

/** The JavaScript form asks once per component of the path. Its cache argument is the loader's, which is always local. */
function putRealpath(put: Put): void {
  const encoding = (options: unknown): unknown =>
    typeof options === 'string'
      ? options
      : (options as { encoding?: unknown } | null | undefined)?.encoding;
  put(nodeFs, 'realpathSync', (route, [path, options], self) => {
    try {
      return encoded(route.target.callSync('realpath', route.path), encoding(options));
    } catch (error) {
      throw localError(jsRealpath(error), { path, above: self });
    }
  });
  put(nodeFs, 'realpath', (route, args) => {
    const callback = args.at(-1) as Callback;
    const wanted = encoding(args.length > 2 ? args[1] : undefined);
    route.target.hold();
    route.target.send('realpath', [route.path], (error, bytes) => {
      route.target.release();
      if (error !== null) setImmediate(callback, localError(jsRealpath(error), { path: args[0] }));
      else setImmediate(callback, null, encoded(bytes as Uint8Array, wanted));
    });
  });
}

/** The JavaScript form fails at its lstat, the native one at realpath. */
function jsRealpath(error: unknown): unknown {
  const { code } = error as NodeJS.ErrnoException;
  return Object.assign(new Error(String(error)), { code, syscall: 'lstat' });
}

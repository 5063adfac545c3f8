/** The overlay's operations that change nothing: the near layer answers for what it has, else the far side. */
import fs from 'node:fs';
import { posix } from 'node:path';
import type { FsApi, WirePath } from '../api.ts';
import { systemError } from '../errors.ts';
import { encodeNames } from '../values.ts';
import { ask, type Work } from '../work.ts';
import { type Places, textOf } from './places.ts';

/** The agent's own handlers, here: they never wait. */
export type NearHandlers = {
  [K in keyof FsApi]: (...args: Parameters<FsApi[K]>) => ReturnType<FsApi[K]>;
};
export type Operations<K extends keyof FsApi> = {
  [N in K]: (...args: Parameters<FsApi[N]>) => Work<ReturnType<FsApi[N]>>;
};

type OnPath = 'access' | 'stat' | 'lstat' | 'statfs' | 'readlink';
type Reading = OnPath | 'exists' | 'kind' | 'realpath' | 'readdir' | 'readdirRecursive' | 'opendir';

/** libuv's UV_DIRENT_DIR and UV_DIRENT_LINK. */
const DIRECTORY = 2;
const LINK = 3;
/** A recursive listing goes through links to directories; Node 20 does so only for plain names. */
const FOLLOWS_WITH_TYPES = Number(process.versions.node.split('.')[0]) >= 22;

export function readingOperations(places: Places, near: NearHandlers): Operations<Reading> {
  /** The same operation on whichever layer has the path. */
  const either = <K extends OnPath>(name: K, follow: boolean): Operations<K>[K] =>
    function* (...args: Parameters<FsApi[K]>): Work<ReturnType<FsApi[K]>> {
      if (places.near.untouched) return yield* ask(name, ...args);
      const [given, ...rest] = args as unknown as [WirePath, ...unknown[]];
      const { path, layer } = yield* places.find(given, follow);
      if (layer === 'none') throw systemError({ code: 'ENOENT', syscall: name, path });
      if (layer === 'far') return yield* ask(name, ...([path, ...rest] as Parameters<FsApi[K]>));
      return near[name](...([places.near.at(path), ...rest] as Parameters<FsApi[K]>));
    } as Operations<K>[K];

  function* kind(path: WirePath): Work<number> {
    if (places.near.untouched) return yield* ask('kind', path);
    const place = yield* places.find(path, true);
    if (place.layer === 'none') return -2;
    return (yield* places.isDirectory(place)) ? 1 : 0;
  }

  function* entries(given: WirePath): Work<[path: string, list: Map<string, number>]> {
    const place = yield* places.find(given, true);
    const { path, layer } = place;
    if (layer === 'none') throw systemError({ code: 'ENOENT', syscall: 'scandir', path });
    if (!(yield* places.isDirectory(place)))
      throw systemError({ code: 'ENOTDIR', syscall: 'scandir', path });
    return [path, yield* places.list(path)];
  }

  function* below(path: string, prefix: string, follow: boolean): Work<[string, number][]> {
    const [, list] = yield* entries(path);
    const all: [string, number][] = [];
    for (const [name, type] of list) {
      all.push([prefix + name, type]);
      const inside = posix.join(path, name);
      if (type === DIRECTORY || (follow && type === LINK && (yield* leadsToDirectory(inside))))
        all.push(...(yield* below(inside, `${prefix}${name}/`, follow)));
    }
    return all;
  }

  /** A link in a circle leads nowhere. */
  function* leadsToDirectory(path: string): Work<boolean> {
    try {
      return (yield* kind(path)) === 1;
    } catch {
      return false;
    }
  }

  return {
    access: either('access', true),
    stat: either('stat', true),
    lstat: either('lstat', false),
    statfs: either('statfs', true),
    readlink: either('readlink', false),
    kind,
    *exists(path) {
      return (yield* kind(path)) >= 0;
    },
    *realpath(given, native) {
      if (places.near.untouched) return yield* ask('realpath', given, native);
      const { path, layer } = yield* places.find(given, true);
      if (layer === 'none')
        throw systemError({ code: 'ENOENT', syscall: native ? 'realpath' : 'lstat', path });
      return Buffer.from(path);
    },
    *readdir(given, withTypes) {
      if (places.near.untouched) return yield* ask('readdir', given, withTypes);
      const [, list] = yield* entries(given);
      return wired([...list], withTypes);
    },
    *readdirRecursive(given, withTypes) {
      return wired(yield* below(textOf(given), '', !withTypes || FOLLOWS_WITH_TYPES), withTypes);
    },
    *opendir(given, recursive) {
      if (places.near.untouched) return yield* ask('opendir', given, recursive);
      const list = recursive
        ? yield* below(textOf(given), '', false)
        : [...(yield* entries(given))[1]];
      const [names, types] = wired(list, true);
      return [names, types as Uint8Array];
    },
  };
}

function wired(list: readonly [string, number][], withTypes: boolean): [Uint8Array, Uint8Array?] {
  const names = encodeNames(list.map(([name]) => Buffer.from(name)));
  return withTypes ? [names, Uint8Array.from(list, ([, type]) => type)] : [names];
}

/** Removes whatever the near layer has at a path. */
export function dropNear(place: string): void {
  fs.rmSync(place, { recursive: true, force: true });
}

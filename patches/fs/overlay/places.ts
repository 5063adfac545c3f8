/** Finds what a path means in both layers together, links of either layer followed, and brings far entries near. */
import fs, { constants } from 'node:fs';
import { posix } from 'node:path';
import { ElsewhereError } from '../../../src/base/errors.ts';
import { MAX_PIECE, type WirePath } from '../api.ts';
import { hasCode, systemError } from '../errors.ts';
import { toWireFlags } from '../flags.ts';
import { ask, type Work } from '../work.ts';
import type { NearLayer } from './layers.ts';

export interface Place {
  /** Without links, but for the last component when it was not to be followed. */
  readonly path: string;
  readonly layer: 'near' | 'far' | 'none';
}

const LINKS = 40;
const IFMT = 0o170000;
const IFDIR = 0o040000;
const IFLNK = 0o120000;
const IFREG = 0o100000;

export function textOf(path: WirePath): string {
  return typeof path === 'string' ? path : Buffer.from(path).toString();
}

export class Places {
  readonly near: NearLayer;

  constructor(near: NearLayer) {
    this.near = near;
  }

  /** One round trip or two for what is far; none for what is near. */
  *find(given: WirePath, follow: boolean): Work<Place> {
    let path = posix.resolve('/', textOf(given));
    for (let links = 0; links < LINKS; links++) {
      const found = this.#findNear(path, follow);
      if (typeof found === 'string') {
        path = found;
        continue;
      }
      if (found.layer !== 'far') return found;
      const real = yield* this.#realFar(path, follow);
      if (real === undefined) return { path, layer: 'none' };
      if (real.path === path) return real;
      path = real.path;
    }
    throw systemError({ code: 'ELOOP', syscall: 'open', path });
  }

  /** A path to go on with where a link was met; 'far' where the near layer ends. */
  #findNear(path: string, follow: boolean): Place | string {
    const { near } = this;
    const parts = path.split('/').filter((part) => part !== '');
    let at = '';
    for (const [index, part] of parts.entries()) {
      at += `/${part}`;
      const stats = near.look(at);
      const last = index === parts.length - 1;
      if (stats === undefined) return { path, layer: near.hides(path) ? 'none' : 'far' };
      if (stats.isSymbolicLink() && (follow || !last)) {
        const target = fs.readlinkSync(near.at(at));
        return posix.resolve(posix.dirname(at), target, ...parts.slice(index + 1));
      }
      if (!last && !stats.isDirectory()) return { path, layer: 'none' };
    }
    return { path, layer: 'near' };
  }

  *#realFar(path: string, follow: boolean): Work<Place | undefined> {
    const whole = follow ? yield* this.#realpath(path) : undefined;
    if (whole !== undefined) return { path: whole, layer: 'far' };
    const parent = yield* this.#realpath(posix.dirname(path));
    // The parent may be near: then it is known already, and has no links in it.
    const full = posix.join(parent ?? posix.dirname(path), posix.basename(path));
    const stats = full === path || parent !== undefined ? yield* this.farStats(full) : undefined;
    if (stats === undefined) return full === path ? undefined : { path: full, layer: 'none' };
    return { path: full, layer: 'far' };
  }

  *#realpath(path: string): Work<string | undefined> {
    try {
      return textOf(yield* ask('realpath', path, false));
    } catch (error) {
      if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
      throw error;
    }
  }

  /** Of the far side's own entry, not followed; undefined if there is none, or it is hidden. */
  *farStats(path: string): Work<BigInt64Array | undefined> {
    if (this.near.hides(path)) return undefined;
    try {
      return yield* ask('lstat', path);
    } catch (error) {
      if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
      throw error;
    }
  }

  *isDirectory({ path, layer }: Place): Work<boolean> {
    if (layer === 'near') return this.near.look(path)?.isDirectory() === true;
    return layer === 'far' && isType(yield* this.farStats(path), IFDIR);
  }

  /** Makes the directories above near, as they are far. Throws ENOENT where there is none. */
  *bringParents(path: string, syscall: string): Work<void> {
    const parent = posix.dirname(path);
    this.near.touch();
    if (parent === '/') return;
    const known = this.near.look(parent);
    if (known?.isDirectory() === true) return;
    if (known !== undefined) throw systemError({ code: 'ENOTDIR', syscall, path });
    const stats = yield* this.farStats(parent);
    if (stats === undefined) throw systemError({ code: 'ENOENT', syscall, path });
    if (!isType(stats, IFDIR)) throw systemError({ code: 'ENOTDIR', syscall, path });
    yield* this.bringParents(parent, syscall);
    fs.mkdirSync(this.near.at(parent), { mode: permissions(stats) | 0o700 });
  }

  /** The near copy of an entry, made if there is none yet; `content` false makes a file empty. */
  *bring({ path, layer }: Place, syscall: string, content = true): Work<string> {
    const place = this.near.at(path);
    if (layer === 'near') return place;
    const stats = yield* this.farStats(path);
    if (stats === undefined) throw systemError({ code: 'ENOENT', syscall, path });
    yield* this.bringParents(path, syscall);
    if (isType(stats, IFDIR)) fs.mkdirSync(place, { mode: permissions(stats) | 0o700 });
    else if (isType(stats, IFLNK)) fs.symlinkSync(textOf(yield* ask('readlink', path)), place);
    else if (isType(stats, IFREG)) yield* this.#bringFile(path, stats, content);
    else throw notAFile(path);
    return place;
  }

  *#bringFile(path: string, stats: BigInt64Array, content: boolean): Work<void> {
    const place = this.near.at(path);
    const here = fs.openSync(place, 'w', permissions(stats) | 0o600);
    try {
      if (content) yield* this.fetch(path, here);
    } catch (error) {
      fs.unlinkSync(place);
      throw error;
    } finally {
      fs.closeSync(here);
    }
    if (content) fs.utimesSync(place, Number(stats[10]), Number(stats[12]));
  }

  /** Copies a far file's content into an open near one. */
  *fetch(path: string, here: number): Work<void> {
    const flags = toWireFlags(constants.O_RDONLY);
    const [id] = yield* ask('open', path, flags, 0, false, []);
    try {
      for (;;) {
        const bytes = yield* ask('read', id, MAX_PIECE / 8, -1);
        if (bytes.length === 0) return;
        fs.writeSync(here, bytes);
      }
    } finally {
      yield* ask('close', id);
    }
  }

  /** A whole tree, for renaming it. */
  *bringTree(place: Place, syscall: string): Work<void> {
    yield* this.bring(place, syscall);
    if (!(yield* this.isDirectory(place))) return;
    for (const [name] of yield* this.list(place.path)) {
      yield* this.bringTree(yield* this.find(posix.join(place.path, name), false), syscall);
    }
  }

  /** Names and types (libuv's numbers) of a directory in both layers. */
  *list(path: string): Work<Map<string, number>> {
    const found = this.near.hides(path) ? new Map<string, number>() : yield* this.#listFar(path);
    if (this.near.look(path)?.isDirectory() !== true) return found;
    for (const entry of fs.readdirSync(this.near.at(path), { withFileTypes: true }))
      found.set(entry.name, typeOf(entry));
    return found;
  }

  *#listFar(path: string): Work<Map<string, number>> {
    const found = new Map<string, number>();
    try {
      const [names, types] = yield* ask('readdir', path, true);
      const texts = names.length === 0 ? [] : textOf(names).split('\0');
      for (const [index, name] of texts.entries())
        if (!this.near.hides(posix.join(path, name))) found.set(name, types?.[index] ?? 0);
    } catch (error) {
      if (!hasCode(error, 'ENOENT', 'ENOTDIR')) throw error;
    }
    return found;
  }
}

const typeOf = (entry: fs.Dirent): number =>
  entry.isFile() ? 1 : entry.isDirectory() ? 2 : entry.isSymbolicLink() ? 3 : 0;

const isType = (stats: BigInt64Array | undefined, type: number): boolean =>
  stats !== undefined && (Number(stats[1]) & IFMT) === type;

const permissions = (stats: BigInt64Array): number => Number(stats[1]) & 0o7777;

function notAFile(path: string): ElsewhereError {
  return new ElsewhereError(
    'ERR_ELSEWHERE_UNSUPPORTED',
    `an overlay keeps files, directories and links: ${path} is none of them`,
  );
}

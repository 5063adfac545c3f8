/** The overlay's operations that change something: what they touch is brought near first, and changed there. */
import fs, { constants } from 'node:fs';
import { posix } from 'node:path';
import type { WirePath } from '../api.ts';
import { systemError } from '../errors.ts';
import { fromWireFlags } from '../flags.ts';
import type { Work } from '../work.ts';
import type { Place, Places } from './places.ts';
import { textOf } from './places.ts';
import { dropNear, type NearHandlers, type Operations } from './reading.ts';

type Writing =
  | 'writeFile'
  | 'copyFile'
  | 'mkdir'
  | 'mkdtemp'
  | 'rename'
  | 'link'
  | 'symlink'
  | 'unlink'
  | 'rmdir'
  | 'chmod'
  | 'chown'
  | 'lchown'
  | 'utimes'
  | 'lutimes'
  | 'remove';

const fail = (code: string, syscall: string, path: string, dest?: string): Error =>
  systemError({ code, syscall, path, dest });

/** Makes a file ready to be opened near with these flags (the wire's), and says where it is. */
export function* prepare(places: Places, given: WirePath, wireFlags: number): Work<string> {
  const flags = fromWireFlags(wireFlags);
  const exclusive = (flags & constants.O_CREAT) !== 0 && (flags & constants.O_EXCL) !== 0;
  const place = yield* places.find(given, !exclusive && (flags & constants.O_NOFOLLOW) === 0);
  const { path, layer } = place;
  if (layer === 'none') {
    if ((flags & constants.O_CREAT) === 0) throw fail('ENOENT', 'open', path);
    yield* places.bringParents(path, 'open');
    return places.near.at(path);
  }
  if (exclusive) throw fail('EEXIST', 'open', path);
  if (yield* places.isDirectory(place)) throw fail('EISDIR', 'open', path);
  return yield* places.bring(place, 'open', (flags & constants.O_TRUNC) === 0);
}

export function writingOperations(places: Places, near: NearHandlers): Operations<Writing> {
  const { near: layer } = places;

  /** A new name: nothing may be there, but the directory above. */
  function* fresh(given: WirePath, syscall: string): Work<string> {
    const { path, layer: found } = yield* places.find(given, false);
    if (found !== 'none') throw fail('EEXIST', syscall, path);
    yield* places.bringParents(path, syscall);
    return layer.at(path);
  }

  function* present(given: WirePath, follow: boolean, syscall: string): Work<Place> {
    const place = yield* places.find(given, follow);
    if (place.layer === 'none') throw fail('ENOENT', syscall, place.path);
    return place;
  }

  /** The near handler of the same name, on the near copy. */
  const onCopy = <K extends 'chmod' | 'chown' | 'lchown' | 'utimes' | 'lutimes'>(
    name: K,
    follow: boolean,
  ): Operations<K>[K] =>
    function* (given: WirePath, ...rest: unknown[]): Work<void> {
      const copy = yield* places.bring(yield* present(given, follow, name), name);
      (near[name] as (...args: unknown[]) => void)(copy, ...rest);
    } as Operations<K>[K];

  function* makeAll(path: string, mode: number): Work<string | undefined> {
    const place = yield* places.find(path, true);
    if (place.layer !== 'none') {
      if (yield* places.isDirectory(place)) return undefined;
      throw fail('EEXIST', 'mkdir', path);
    }
    const above = yield* makeAll(posix.dirname(place.path), mode);
    yield* places.bringParents(place.path, 'mkdir');
    near.mkdir(layer.at(place.path), mode, false, '');
    return above ?? place.path;
  }

  function* removeOne(given: WirePath, directory: boolean): Work<void> {
    const syscall = directory ? 'rmdir' : 'unlink';
    const place = yield* present(given, false, syscall);
    const { path } = place;
    const isDirectory = yield* places.isDirectory(place);
    if (directory && !isDirectory) throw fail('ENOTDIR', syscall, path);
    if (!directory && isDirectory) throw fail('EISDIR', syscall, path);
    if (directory && (yield* places.list(path)).size > 0) throw fail('ENOTEMPTY', syscall, path);
    dropNear(layer.at(path));
    layer.hide(path);
  }

  /** What the kernel demands of a name that is taken. */
  function* checkReplacing(source: Place, destination: Place): Work<void> {
    if (destination.layer === 'none') return;
    const [old, path] = [source.path, destination.path];
    const [tree, onto] = [
      yield* places.isDirectory(source),
      yield* places.isDirectory(destination),
    ];
    if (tree !== onto) throw fail(tree ? 'ENOTDIR' : 'EISDIR', 'rename', old, path);
    if (onto && (yield* places.list(path)).size > 0) throw fail('ENOTEMPTY', 'rename', old, path);
  }

  function* rename(from: WirePath, to: WirePath): Work<void> {
    const source = yield* present(from, false, 'rename');
    const destination = yield* places.find(to, false);
    const [old, path] = [source.path, destination.path];
    if (old === path) return;
    if (path.startsWith(`${old}/`)) throw fail('EINVAL', 'rename', old, path);
    yield* checkReplacing(source, destination);
    yield* places.bringTree(source, 'rename');
    yield* places.bringParents(path, 'rename');
    dropNear(layer.at(path));
    fs.renameSync(layer.at(old), layer.at(path));
    layer.hide(old);
    layer.hide(path);
  }

  return {
    rename,
    chmod: onCopy('chmod', true),
    chown: onCopy('chown', true),
    lchown: onCopy('lchown', false),
    utimes: onCopy('utimes', true),
    lutimes: onCopy('lutimes', false),
    unlink: (path) => removeOne(path, false),
    rmdir: (path) => removeOne(path, true),
    *writeFile(path, flags, mode, bytes) {
      near.writeFile(yield* prepare(places, path, flags), flags, mode, bytes);
    },
    *copyFile(from, to, mode) {
      const source = yield* present(from, true, 'copyfile');
      if (yield* places.isDirectory(source)) throw fail('EISDIR', 'copyfile', source.path);
      const destination = yield* places.find(to, true);
      if (destination.layer !== 'none' && (mode & constants.COPYFILE_EXCL) !== 0)
        throw fail('EEXIST', 'copyfile', source.path, destination.path);
      if (yield* places.isDirectory(destination))
        throw fail('EISDIR', 'copyfile', source.path, destination.path);
      const copy = yield* places.bring(source, 'copyfile');
      yield* places.bringParents(destination.path, 'copyfile');
      fs.copyFileSync(copy, layer.at(destination.path));
    },
    *mkdir(given, mode, recursive, base) {
      if (!recursive) return near.mkdir(yield* fresh(given, 'mkdir'), mode, false, '');
      if (base !== '') yield* present(base, true, 'mkdir');
      const made = yield* makeAll(posix.resolve(textOf(given)), mode);
      return made === undefined ? undefined : Buffer.from(made);
    },
    *mkdtemp(prefix) {
      const text = textOf(prefix);
      const parent = yield* places.find(posix.dirname(`${text}X`), true);
      const path = posix.join(parent.path, posix.basename(`${text}X`)).slice(0, -1);
      yield* places.bringParents(`${path}X`, 'mkdtemp');
      return Buffer.from(textOf(near.mkdtemp(layer.at(path))).slice(layer.files.length));
    },
    *link(existing, given) {
      const source = yield* present(existing, false, 'link');
      if (yield* places.isDirectory(source)) throw fail('EPERM', 'link', source.path);
      near.link(yield* places.bring(source, 'link'), yield* fresh(given, 'link'));
    },
    *symlink(target, given, flags) {
      near.symlink(target, yield* fresh(given, 'symlink'), flags);
    },
    *remove(given, { force }) {
      const place = yield* places.find(given, false);
      if (place.layer === 'none') {
        if (force) return;
        throw fail('ENOENT', 'rm', place.path);
      }
      dropNear(layer.at(place.path));
      layer.hide(place.path);
    },
  };
}

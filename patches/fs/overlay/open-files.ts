/** Open files of an overlay: those that are only read may be far, all others are near. */
import { ElsewhereError } from '../../../src/base/errors.ts';
import type { FsApi, WirePath } from '../api.ts';
import { systemError } from '../errors.ts';
import { onlyReads } from '../flags.ts';
import { ask, failing, type Work } from '../work.ts';
import type { Place, Places } from './places.ts';
import type { NearHandlers, Operations } from './reading.ts';
import { prepare } from './writing.ts';

type OnFile =
  | 'close'
  | 'discard'
  | 'fstat'
  | 'read'
  | 'write'
  | 'ftruncate'
  | 'fsync'
  | 'fdatasync'
  | 'fchmod'
  | 'fchown'
  | 'futimes'
  | 'advance'
  | 'drain';

/** Numbers of near files begin here, far above any that a far side gives. */
const NEAR = 2 ** 40;

export function fileOperations(
  places: Places,
  near: NearHandlers,
): Operations<OnFile | 'open' | 'readFile'> {
  const either = <K extends OnFile>(name: K): Operations<K>[K] =>
    function* (...args: Parameters<FsApi[K]>): Work<ReturnType<FsApi[K]>> {
      const [id, ...rest] = args as unknown as [number, ...unknown[]];
      if (id < NEAR) return yield* ask(name, ...args);
      return (near[name] as (...all: unknown[]) => ReturnType<FsApi[K]>)(id - NEAR, ...rest);
    } as Operations<K>[K];

  /** These would change the far file: by its path it can be brought near first. */
  const nearOnly = <K extends OnFile>(name: K, instead: string): Operations<K>[K] => {
    const operation = either(name);
    return ((...args: Parameters<FsApi[K]>): Work =>
      (args[0] as number) < NEAR
        ? failing(readOnly(name, instead))
        : operation(...args)) as Operations<K>[K];
  };

  return {
    *open(given, flags, mode, ahead, closing) {
      yield* discard(near, closing);
      const reading = onlyReads(flags);
      if (reading && places.near.untouched)
        return yield* ask('open', given, flags, mode, ahead, []);
      if (reading) return yield* openForReading(places, near, [given, flags, mode, ahead]);
      const [id, ...rest] = near.open(yield* prepare(places, given, flags), flags, mode, ahead, []);
      return [id + NEAR, ...rest];
    },
    *readFile(given, flags) {
      if (places.near.untouched) return yield* ask('readFile', given, flags);
      const { path, layer } = onlyReads(flags)
        ? yield* found(places, given)
        : { path: yield* prepare(places, given, flags), layer: 'prepared' };
      if (layer === 'far') return yield* ask('readFile', path, flags);
      const place = layer === 'near' ? places.near.at(path) : path;
      const [bytes, opened] = near.readFile(place, flags);
      return [bytes, opened && [opened[0] + NEAR, opened[1]]];
    },
    discard: (ids) => discard(near, ids),
    close: either('close'),
    fstat: either('fstat'),
    read: either('read'),
    write: either('write'),
    ftruncate: either('ftruncate'),
    fsync: either('fsync'),
    fdatasync: either('fdatasync'),
    advance: either('advance'),
    drain: either('drain'),
    fchmod: nearOnly('fchmod', 'chmod'),
    fchown: nearOnly('fchown', 'chown'),
    futimes: nearOnly('futimes', 'utimes'),
  };
}

function* discard(near: NearHandlers, ids: readonly number[]): Work<void> {
  near.discard(ids.filter((id) => id >= NEAR).map((id) => id - NEAR));
  const far = ids.filter((id) => id < NEAR);
  if (far.length > 0) yield* ask('discard', far);
}

type Given = readonly [path: WirePath, flags: number, mode: number, ahead: boolean];

function* openForReading(
  places: Places,
  near: NearHandlers,
  [given, flags, mode, ahead]: Given,
): Work<ReturnType<FsApi['open']>> {
  const { path, layer } = yield* found(places, given);
  if (layer === 'far') return yield* ask('open', path, flags, mode, ahead, []);
  const [id, ...rest] = near.open(places.near.at(path), flags, mode, ahead, []);
  return [id + NEAR, ...rest];
}

function* found(places: Places, given: WirePath): Work<Place> {
  const place = yield* places.find(given, true);
  if (place.layer === 'none')
    throw systemError({ code: 'ENOENT', syscall: 'open', path: place.path });
  return place;
}

function readOnly(name: string, instead: string): ElsewhereError {
  return new ElsewhereError(
    'ERR_ELSEWHERE_UNSUPPORTED',
    `${name} on a far file that an overlay opened for reading: use ${instead} with its path, or open it for writing`,
  );
}

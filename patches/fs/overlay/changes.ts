/** What an overlay has changed, and how it is brought to the far side. */
import fs, { constants } from 'node:fs';
import { posix } from 'node:path';
import { MAX_PIECE } from '../api.ts';
import { toWireFlags } from '../flags.ts';
import { ask, type Work } from '../work.ts';
import type { NearLayer } from './layers.ts';
import type { Places } from './places.ts';

export interface Change {
  readonly path: string;
  readonly kind: 'added' | 'changed' | 'removed';
  readonly type: 'file' | 'directory' | 'link';
}

/** In the order in which they can be carried out: removals first, directories before what is in them. */
export function* changesOf(places: Places): Work<Change[]> {
  const { near } = places;
  const found: Change[] = [];
  for (const path of [...near.removed].sort()) {
    const stats = yield* farEntry(path);
    if (stats !== undefined)
      found.push({ path, kind: 'removed', type: typeOfMode(Number(stats[1])) });
  }
  yield* kept(near, '', found);
  return found;
}

function* kept(near: NearLayer, directory: string, found: Change[]): Work<void> {
  for (const name of fs.readdirSync(near.at(directory)).sort()) {
    const path = `${directory}/${name}`;
    const stats = near.look(path) as fs.Stats;
    const type = typeOfMode(stats.mode);
    const far = near.hides(path) ? undefined : yield* farEntry(path);
    if (far === undefined) found.push({ path, kind: 'added', type });
    // A directory is also there for what is in it.
    else if (type !== 'directory' || Number(far[1]) !== stats.mode)
      found.push({ path, kind: 'changed', type });
    if (type === 'directory') yield* kept(near, path, found);
  }
}

/** The far side's own entry, whatever is hidden. */
function* farEntry(path: string): Work<BigInt64Array | undefined> {
  if (!(yield* ask('exists', posix.dirname(path)))) return undefined;
  try {
    return yield* ask('lstat', path);
  } catch {
    return undefined;
  }
}

const typeOfMode = (mode: number): Change['type'] => {
  const format = mode & constants.S_IFMT;
  if (format === constants.S_IFDIR) return 'directory';
  return format === constants.S_IFLNK ? 'link' : 'file';
};

/** Carries the changes out on the far side. What was carried out before an error stays carried out. */
export function* commitChanges(places: Places): Work<Change[]> {
  const changes = yield* changesOf(places);
  for (const change of changes) yield* carryOut(places.near, change);
  places.near.clear();
  return changes;
}

function* carryOut(near: NearLayer, { path, kind, type }: Change): Work<void> {
  if (kind === 'removed') {
    yield* ask('remove', path, { force: true, maxRetries: 0, retryDelay: 0 });
    return;
  }
  const place = near.at(path);
  const stats = fs.lstatSync(place);
  if (type === 'link') {
    if (kind === 'changed') yield* ask('unlink', path);
    yield* ask('symlink', fs.readlinkSync(place), path, 0);
  } else if (type === 'directory') {
    if (kind === 'added') yield* ask('mkdir', path, stats.mode & 0o7777, false, '');
    yield* ask('chmod', path, stats.mode & 0o7777);
  } else {
    yield* send(place, path, stats);
  }
}

function* send(place: string, path: string, stats: fs.Stats): Work<void> {
  const { O_WRONLY, O_CREAT, O_TRUNC } = constants;
  const mode = stats.mode & 0o7777;
  const flags = toWireFlags(O_WRONLY | O_CREAT | O_TRUNC);
  const here = fs.openSync(place, 'r');
  try {
    const [id] = yield* ask('open', path, flags, mode, false, []);
    try {
      for (;;) {
        const bytes = Buffer.allocUnsafeSlow(MAX_PIECE / 8);
        const length = fs.readSync(here, bytes, 0, bytes.length, null);
        if (length === 0) break;
        yield* ask('write', id, bytes.subarray(0, length), -1);
      }
      yield* ask('fchmod', id, mode);
      yield* ask('futimes', id, stats.atimeMs / 1000, stats.mtimeMs / 1000);
    } finally {
      yield* ask('close', id);
    }
  } finally {
    fs.closeSync(here);
  }
}

/** Opening on the far side, and what is done with a file between opening and closing it in one call. */
import fs from 'node:fs';
import { promisify } from 'node:util';
import { wireStats } from '../../src/base/wire-stats.ts';
import { type FsApi, MAX_PIECE, type Opened, SMALL, type WholeFile, type WirePath } from './api.ts';
import { bitsOf, isExact, openExactly } from './creation.ts';
import { fromWireFlags } from './flags.ts';
import { closeQuietly, type Held } from './remote-files.ts';
import {
  type Choose,
  drainLater,
  drainNow,
  read,
  readExactly,
  readHead,
  skipBytes,
  write,
  writeAllLater,
  writeAllNow,
} from './remote-io.ts';
import { type Handlers, pathLike } from './remote-values.ts';
import { openWaiting, type WaitingFile, waitsByItself } from './remote-waiting.ts';

type OpenApi = Pick<
  FsApi,
  | 'open'
  | 'close'
  | 'discard'
  | 'fstat'
  | 'read'
  | 'advance'
  | 'write'
  | 'readFile'
  | 'drain'
  | 'writeFile'
>;

const openLater = promisify(fs.open);
const closeLater = promisify(fs.close);

/** Opening a pipe waits for its other end, and a device may do anything. */
function opensAtOnce(path: WirePath): boolean {
  try {
    const stats = fs.statSync(pathLike(path));
    return stats.isFile() || stats.isDirectory();
  } catch {
    // It is not there: opening says why, or makes a regular file.
    return true;
  }
}

/** `spend` is told of bytes that are written and were the handlers' own: they came over the wire. */
export function openHandlers(
  held: Held,
  choose: Choose,
  spend: (bytes: Uint8Array) => void,
): Handlers<OpenApi> {
  const written = <T>(bytes: Uint8Array, result: T | Promise<T>): T | Promise<T> => {
    if (result instanceof Promise) return result.finally(() => spend(bytes));
    spend(bytes);
    return result;
  };

  const withFile = <T>(
    path: WirePath,
    flags: number,
    mode: number,
    use: (descriptor: number, waiting?: WaitingFile) => T | Promise<T>,
  ): T | Promise<T> => {
    held.checkRoom();
    const place = pathLike(path);
    const native = fromWireFlags(flags);
    const atOnce = opensAtOnce(path);
    // What need not open at once is there: no mode is given to it.
    if (atOnce && isExact(mode, native)) return use(openExactly(place, native, mode));
    const bits = bitsOf(mode);
    return choose<T>(
      () => use(fs.openSync(place, native, bits)) as T,
      async () => {
        if (!waitsByItself(native)) return await use(await openLater(place, native, bits));
        const file = await openWaiting({ path: place, flags: native, bits }, () => held.over);
        return await use(file.descriptor, file);
      },
      atOnce,
    );
  };

  const keep = (descriptor: number, ahead: boolean, waiting?: WaitingFile): Opened => {
    try {
      const stats = fs.fstatSync(descriptor, { bigint: true });
      const regular = stats.isFile();
      const id = held.addFile(descriptor, regular, waiting);
      return ahead && regular
        ? [id, wireStats(stats), readHead(descriptor, Number(stats.size))]
        : [id];
    } catch (error) {
      closeQuietly(descriptor);
      throw error;
    }
  };

  return {
    open(path, flags, mode, ahead, closing) {
      held.discard(closing);
      return withFile(path, flags, mode, (descriptor, waiting) => keep(descriptor, ahead, waiting));
    },
    close(id) {
      const { descriptor, regular } = held.takeFile(id);
      return choose(
        () => fs.closeSync(descriptor),
        () => closeLater(descriptor),
        regular,
      );
    },
    discard: (ids) => held.discard(ids),
    fstat: (id) => wireStats(fs.fstatSync(held.file(id, 'fstat').descriptor, { bigint: true })),
    read(id, length, position) {
      const file = held.file(id, 'read');
      return read(choose, file, length, position);
    },
    write: (id, bytes, position) =>
      written(bytes, write(choose, held.file(id, 'write'), bytes, position)),
    readFile: (path, flags) =>
      withFile(path, flags, 0o666, (descriptor, waiting) =>
        whole(held, choose, descriptor, () => keep(descriptor, false, waiting)),
      ),
    advance: (id, count) => skipBytes(held.file(id, 'read'), count),
    drain(id, position) {
      const file = held.file(id, 'read');
      const small = file.regular && file.busy === 0 && fs.fstatSync(file.descriptor).size <= SMALL;
      return choose(
        () => drainNow(file.descriptor, position),
        () => drainLater(file, position),
        small,
      );
    },
    writeFile(path, flags, mode, bytes) {
      return withFile(path, flags, mode, (descriptor, waiting) =>
        written(bytes, fill(choose, descriptor, bytes, waiting)),
      );
    },
  };
}

/** The content of a regular file that is not too large; else the file stays open, and the peer goes on with it. */
function whole(
  held: Held,
  choose: Choose,
  descriptor: number,
  keep: () => Opened,
): WholeFile | Promise<WholeFile> {
  const stats = fs.fstatSync(descriptor);
  const known = stats.isFile() && stats.size > 0 && stats.size <= MAX_PIECE;
  const head = stats.isFile() ? readHead(descriptor, stats.size) : undefined;
  if (head !== undefined) {
    closeQuietly(descriptor);
    return [head];
  }
  if (!known) {
    const [id] = keep();
    return [undefined, [id, wireStats(fs.fstatSync(descriptor, { bigint: true }))]];
  }
  const id = held.addFile(descriptor, true);
  return choose<WholeFile>(
    () => closing(held, id, () => [drainNow(descriptor, -1)[0]]),
    async () => {
      try {
        return [await readExactly(descriptor, stats.size)];
      } finally {
        held.discard([id]);
      }
    },
    false,
  );
}

function closing<T>(held: Held, id: number, work: () => T): T {
  try {
    return work();
  } finally {
    held.discard([id]);
  }
}

function fill(
  choose: Choose,
  descriptor: number,
  bytes: Uint8Array,
  waiting: WaitingFile | undefined,
): void | Promise<void> {
  const regular = fs.fstatSync(descriptor).isFile();
  return choose(
    () => {
      try {
        writeAllNow(descriptor, bytes);
      } catch (error) {
        closeQuietly(descriptor);
        throw error;
      }
      fs.closeSync(descriptor);
    },
    async () => {
      try {
        await writeAllLater(descriptor, bytes, waiting);
      } catch (error) {
        closeQuietly(descriptor);
        throw error;
      }
      await closeLater(descriptor);
    },
    regular && bytes.length <= SMALL,
  );
}

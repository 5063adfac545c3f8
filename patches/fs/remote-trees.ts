/** The far side's operations that may take long: whole trees, copies, flushing to disk; and directories read in pages. */
import fs from 'node:fs';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';
import { ElsewhereError } from '../../src/base/errors.ts';
import { nodeBinding } from '../../src/base/node-binding.ts';
import { type DirectoryPage, type FsApi, type Names, SMALL, type WirePath } from './api.ts';
import type { Held } from './remote-files.ts';
import type { Choose } from './remote-io.ts';
import { entryType, type Handlers, pathLike, wireEntries } from './remote-values.ts';
import { encodeNames } from './values.ts';

type Trees = Pick<
  FsApi,
  'readdirRecursive' | 'glob' | 'remove' | 'copyTree' | 'copyStep' | 'copyFile'
>;
type Flushes = Pick<FsApi, 'fsync' | 'fdatasync'>;
type Directories = Pick<FsApi, 'opendir' | 'readDirectory' | 'closeDirectory'>;

const fsyncLater = promisify(fs.fsync);
const fdatasyncLater = promisify(fs.fdatasync);
const copyFileLater = promisify(fs.copyFile);
const removeLater = promisify(fs.rm);

export function treeHandlers(choose: Choose): Handlers<Trees> {
  return {
    readdirRecursive(path, withTypes, blocking) {
      const root = pathLike(path).toString();
      const options = { recursive: true, withFileTypes: true } as const;
      if (withTypes) {
        const list = (entries: fs.Dirent[]): Names => relativeEntries(root, entries);
        return choose(
          () => list(fs.readdirSync(root, options)),
          async () => list(await fs.promises.readdir(root, options)),
          blocking,
        );
      }
      const names = (list: readonly string[]): Names => [
        encodeNames(list.map((name) => Buffer.from(name))),
      ];
      const plain = { recursive: true, encoding: 'utf8' } as const;
      return choose(
        () => names(fs.readdirSync(root, plain) as string[]),
        async () => names((await fs.promises.readdir(root, plain)) as string[]),
        blocking,
      );
    },
    glob(patterns, root, { withTypes, exclude }) {
      const { glob, globSync } = fs as unknown as GlobApi;
      if (globSync === undefined || glob === undefined) throw noGlob();
      // Older Nodes know no patterns here.
      const given = { cwd: root, withFileTypes: withTypes, ...(exclude.length > 0 && { exclude }) };
      return choose(
        () => globbed(globSync(patterns, given)),
        async () =>
          globbed(
            await new Promise((resolve, reject) =>
              glob(patterns, given, (error, list) =>
                error === null ? resolve(list) : reject(error),
              ),
            ),
          ),
        false,
      );
    },
    remove(path, options) {
      const all = { ...options, recursive: true };
      return choose(
        () => fs.rmSync(pathLike(path), all),
        () => removeLater(pathLike(path), all),
        false,
      );
    },
    copyTree(from, to, options) {
      const [source, destination] = [pathLike(from).toString(), pathLike(to).toString()];
      return choose(
        () => fs.cpSync(source, destination, options),
        () => fs.promises.cp(source, destination, options),
        false,
      );
    },
    copyStep(name, from, to, options) {
      const step = nodeBinding<Record<string, (...args: unknown[]) => void>>('fs')?.[name];
      if (!COPY_STEPS.has(name) || step === undefined) throw noStep();
      step(pathLike(from), pathLike(to), ...options);
    },
    copyFile(from, to, mode) {
      const [source, destination] = [pathLike(from), pathLike(to)];
      return choose(
        () => fs.copyFileSync(source, destination, mode),
        () => copyFileLater(source, destination, mode),
        isSmall(source),
      );
    },
  };
}

/** Not in the types of Node 20. */
interface GlobApi {
  readonly globSync?: (patterns: readonly string[], options: object) => Globbed;
  readonly glob?: (
    patterns: readonly string[],
    options: object,
    done: (error: Error | null, list: Globbed) => void,
  ) => void;
}
type Globbed = readonly (string | fs.Dirent)[];

function globbed(list: Globbed): Names {
  const entries = list.filter((item) => typeof item !== 'string');
  const texts = list.flatMap((item) =>
    typeof item === 'string' ? item : [item.name, item.parentPath],
  );
  const names = encodeNames(texts.map((text) => Buffer.from(text)));
  return entries.length === 0 ? [names] : [names, Uint8Array.from(entries, entryType)];
}

function noGlob(): ElsewhereError {
  return new ElsewhereError(
    'ERR_ELSEWHERE_UNSUPPORTED',
    `fs.glob needs Node 22 or later on the far side (it has ${process.versions.node})`,
  );
}

const COPY_STEPS: ReadonlySet<string> = new Set([
  'cpSyncCheckPaths',
  'cpSyncOverrideFile',
  'cpSyncCopyDir',
]);

function noStep(): ElsewhereError {
  return new ElsewhereError(
    'ERR_ELSEWHERE_UNSUPPORTED',
    `fs.cpSync needs Node 22 or later on the far side (it has ${process.versions.node}): use fs.promises.cp`,
  );
}

function isSmall(path: WirePath): boolean {
  try {
    const stats = fs.statSync(pathLike(path));
    return stats.isFile() && stats.size <= SMALL;
  } catch {
    // The copy will say why.
    return true;
  }
}

function relativeEntries(root: string, entries: readonly fs.Dirent[]): [Uint8Array, Uint8Array] {
  return wireEntries(
    entries.map((entry) => {
      const name = Buffer.from(relative(root, join(entry.parentPath, entry.name)));
      return Object.assign(entry as object, { name }) as never;
    }),
  );
}

export function flushHandlers(held: Held, choose: Choose): Handlers<Flushes> {
  const flush = (
    id: number,
    name: keyof Flushes,
    now: (fd: number) => void,
    later: (fd: number) => Promise<void>,
  ): void | Promise<void> => {
    const { descriptor } = held.file(id, name);
    return choose(
      () => now(descriptor),
      () => later(descriptor),
      false,
    );
  };
  return {
    fsync: (id) => flush(id, 'fsync', fs.fsyncSync, fsyncLater),
    fdatasync: (id) => flush(id, 'fdatasync', fs.fdatasyncSync, fdatasyncLater),
  };
}

/** Entries in one answer. */
const PAGE = 1000;

export function directoryHandlers(held: Held): Handlers<Directories> {
  const page = (directory: fs.Dir): [Uint8Array, Uint8Array, boolean] => {
    const entries: (fs.Dirent & { name: never })[] = [];
    for (let entry = directory.readSync(); entry !== null; entry = directory.readSync()) {
      entries.push(entry as never);
      if (entries.length === PAGE) return [...wireEntries(entries), true];
    }
    return [...wireEntries(entries), false];
  };
  return {
    opendir(path, recursive): DirectoryPage {
      held.checkRoom();
      const place = pathLike(path);
      const directory = fs.opendirSync(place as string, { encoding: 'buffer' as BufferEncoding });
      if (recursive) {
        directory.closeSync();
        const root = place.toString();
        return relativeEntries(
          root,
          fs.readdirSync(root, { recursive: true, withFileTypes: true }),
        );
      }
      const [names, types, more] = page(directory);
      if (more) return [names, types, held.addDirectory(directory)];
      directory.closeSync();
      return [names, types];
    },
    readDirectory(id): DirectoryPage {
      const [names, types, more] = page(held.directory(id));
      if (more) return [names, types, id];
      held.closeDirectory(id);
      return [names, types];
    },
    closeDirectory: (id) => held.closeDirectory(id),
  };
}

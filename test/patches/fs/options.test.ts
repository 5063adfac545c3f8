/** Options and forms that fewer programs use: filters, signals, positions beyond 4 GiB, links themselves. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { pathToFileURL } from 'node:url';
import { install } from '../../../src/index.ts';
import { outcome, outcomeSync } from '../../kit/outcome.ts';
import { suite } from '../../kit/suite.ts';
import { Twice } from '../../kit/twice.ts';

const test = suite('patches/fs/options');
let twice: Twice;
test.before(async () => {
  twice = await Twice.start();
  // Before Node loads its code for copies, which keeps what it finds.
  install();
});
test.after(() => twice.stop());

function plant(): void {
  fs.mkdirSync('tree/a/b', { recursive: true });
  fs.mkdirSync('tree/skipped/deep', { recursive: true });
  for (const path of ['1.js', '2.ts', 'a/3.js', 'a/b/4.js', 'skipped/5.js', 'skipped/deep/6.js'])
    fs.writeFileSync(`tree/${path}`, path);
  fs.symlinkSync('../1.js', 'tree/a/link.js');
}

interface GlobOptions {
  cwd?: string | URL;
  exclude?: ((entry: never) => boolean) | string[];
  withFileTypes?: boolean;
}
interface Globs {
  globSync(pattern: string | string[], options?: GlobOptions): unknown[];
  glob(
    pattern: string | string[],
    options: GlobOptions,
    done: (error: unknown, names: unknown[]) => void,
  ): void;
}
const globs = fs as unknown as Globs;
const iterated = fs.promises as unknown as {
  glob(pattern: string | string[], options?: GlobOptions): AsyncIterable<unknown>;
};

/** What each form finds, in any order. */
async function found(pattern: string | string[], options: () => GlobOptions): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const item of iterated.glob(pattern, options())) all.push(item);
  const called = await new Promise<unknown[]>((resolve, reject) =>
    globs.glob(pattern, options(), (error, names) =>
      error === null ? resolve(names) : reject(error),
    ),
  );
  return [globs.globSync(pattern, options()), called, all].map((list) => list.map(place).sort());
}

function place(item: unknown): string {
  if (!(item instanceof fs.Dirent)) return String(item);
  return `${item.parentPath} ${item.name} ${[item.isFile(), item.isDirectory(), item.isSymbolicLink()]}`;
}

// From Node 22 on.
if ('globSync' in fs) {
  test('glob: patterns, folders, types', () =>
    twice.same(async (root) => {
      plant();
      return [
        await found('**/*.js', () => ({ cwd: 'tree' })),
        await found(['**/*.js', '**/*.ts'], () => ({ cwd: `${root}/tree/a` })),
        await found('tree/**', () => ({ withFileTypes: true })),
        await found('**', () => ({ cwd: 'tree/a', withFileTypes: true })),
        await found('{a,skipped}/*', () => ({ cwd: 'tree', withFileTypes: true })),
        await found('none/*', () => ({ withFileTypes: true })),
        await found(`${root}/tree/a/*`, () => ({ cwd: 'tree', withFileTypes: true })),
        await found('../*', () => ({ cwd: 'tree/a', withFileTypes: true })),
      ].map((lists) => lists.map((list) => String(list).replaceAll(root, '<root>').split(',')));
    }));

  test('glob: what a function excludes', () =>
    twice.same(async (root) => {
      plant();
      const asked: string[] = [];
      const byName = (): GlobOptions => ({
        cwd: 'tree',
        exclude: (name: string) => {
          asked.push(name);
          return name === 'skipped' || name.endsWith('.ts');
        },
      });
      const byEntry = (): GlobOptions => ({
        cwd: 'tree',
        withFileTypes: true,
        exclude: (entry: fs.Dirent) => entry.name === 'b',
      });
      const lists = [await found('**/*', byName), await found('**/*', byEntry)];
      return [
        lists.map((list) => String(list).replaceAll(root, '<root>').split(',')),
        asked.sort(),
        await outcome(() =>
          found('**', () => ({
            exclude: () => {
              throw new Error('mine');
            },
          })),
        ),
      ];
    }));

  test('glob: what patterns exclude', () =>
    twice.same(async (root) => {
      plant();
      const lists = [
        await outcome(() =>
          found('**/*', () => ({ cwd: 'tree', exclude: ['skipped', '**/*.ts'] })),
        ),
        await outcome(() =>
          found('tree/**', () => ({ exclude: ['tree/skipped/**'], withFileTypes: true })),
        ),
      ];
      return lists.map((list) =>
        list instanceof Error ? list : String(list).replaceAll(root, ''),
      );
    }));
}

test('cp with a filter: what it is asked, what it refuses, what it throws', () =>
  twice.same(async (root) => {
    plant();
    const asked: string[] = [];
    const options = { recursive: true, verbatimSymlinks: true };
    const filter = (from: string, to: string): boolean => {
      asked.push(`${from} > ${to}`.replaceAll(root, ''));
      return !from.includes('skipped');
    };
    fs.cpSync('tree', 'sync', { ...options, filter });
    await fs.promises.cp('tree', 'promise', {
      ...options,
      filter: async (from, to) => filter(from, to),
    });
    await new Promise((resolve) => fs.cp('tree', 'called', { ...options, filter }, resolve));
    const failing = (): boolean => {
      throw new Error('mine');
    };
    return [
      asked.sort(),
      ...['sync', 'promise', 'called'].map((name) =>
        (fs.readdirSync(name, { recursive: true }) as string[]).sort(),
      ),
      outcomeSync(() => fs.cpSync('tree', 'x', { ...options, filter: failing })),
      await outcome(() => fs.promises.cp('tree', 'y', { ...options, filter: failing })),
      outcomeSync(() =>
        fs.cpSync('tree', 'z', { ...options, filter: (async () => true) as never }),
      ),
    ];
  }));

test('opendir recursive: blocking, callback, promise, in small steps', () =>
  twice.same(async () => {
    plant();
    const directory = fs.opendirSync('tree', { recursive: true });
    const names: string[] = [];
    for (let entry = directory.readSync(); entry !== null; entry = directory.readSync())
      names.push(place(entry));
    directory.closeSync();
    const later: string[] = [];
    const opened = await new Promise<fs.Dir>((resolve) =>
      fs.opendir('./tree/a', { recursive: true }, (_error, result) => resolve(result)),
    );
    for await (const entry of opened) later.push(place(entry));
    const promised: string[] = [];
    for await (const entry of await fs.promises.opendir('tree/', { recursive: true }))
      promised.push(place(entry));
    // Node 20's own blocking form leaves entries out.
    const blocking = process.versions.node.startsWith('20.') ? names.length > 0 : names.sort();
    return [blocking, later.sort(), promised.sort()];
  }));

test('a signal ends fs.watch, at once or later', () =>
  twice.same(async () => {
    fs.writeFileSync('f', '');
    const seen: string[] = [];
    const watch = (signal: AbortSignal): Promise<void> =>
      new Promise((resolve) => {
        const watcher = fs.watch('f', { signal });
        watcher.on('close', () => {
          seen.push('close');
          resolve();
        });
        watcher.on('error', (error) => seen.push(error.message));
      });
    await watch(AbortSignal.abort());
    const controller = new AbortController();
    const closed = watch(controller.signal);
    setImmediate(() => controller.abort());
    await closed;
    const steps = fs.promises.watch('f', { signal: AbortSignal.abort('why') });
    return [seen, await outcome(() => steps[Symbol.asyncIterator]().next())];
  }));

test('links themselves: owners, times, modes', () =>
  twice.same(async () => {
    fs.writeFileSync('f', '');
    fs.symlinkSync('f', 'l');
    fs.symlinkSync('nowhere', 'dangling');
    const look = (): unknown[] =>
      ['f', 'l', 'dangling'].map((name) => {
        const { uid, gid, mtimeMs, atimeNs } = fs.lstatSync(name, { bigint: true });
        return name === 'f' ? [uid, gid] : [uid, gid, mtimeMs, atimeNs];
      });
    const results: unknown[] = [];
    fs.lchownSync('l', 7, 8);
    fs.lutimesSync('l', 100, 200.5);
    results.push(outcomeSync(() => fs.lchownSync('dangling', 9, 9)));
    await fs.promises.lutimes('dangling', new Date(3000), '4.25');
    results.push(look());
    await fs.promises.lchown('l', 1, 2);
    await new Promise((resolve) => fs.lutimes('l', 5, 6, resolve));
    await new Promise((resolve) => fs.lchown('dangling', 3, 3, resolve));
    return [
      ...results,
      look(),
      'lchmodSync' in fs,
      await outcome(() => fs.promises.lchmod('l', 1)),
    ];
  }));

test('readv and writev beyond 4 GiB, from and to several buffers', () =>
  twice.same(async () => {
    const at = 5 * 2 ** 30 + 3;
    const parts = ['be', 'yon', '', 'd'].map((text) => Buffer.from(text));
    const empty = (): Buffer[] => [Buffer.alloc(3), Buffer.alloc(0), Buffer.alloc(9)];
    const descriptor = fs.openSync('sparse', 'w+');
    const results: unknown[] = [fs.writevSync(descriptor, parts, at)];
    const into = empty();
    results.push(fs.readvSync(descriptor, into, at - 2), into);
    results.push(
      await new Promise((resolve) =>
        fs.writev(descriptor, parts, at + 6, (...all) => resolve(all)),
      ),
      await new Promise((resolve) =>
        fs.readv(descriptor, empty(), at + 3, (...all) => resolve(all)),
      ),
    );
    fs.closeSync(descriptor);
    const handle = await fs.promises.open('sparse', 'r+');
    const written = await handle.writev(parts, at + 12);
    const read = await handle.readv(empty(), at + 9);
    results.push(written.bytesWritten, written.buffers, read.bytesRead, read.buffers);
    results.push(await handle.readv(empty()), (await handle.stat({ bigint: true })).size);
    await handle.close();
    return results;
  }));

test('bytes and URLs as paths of everything that takes two, and of what makes names', () =>
  twice.same(async (root) => {
    const bytes = (name: string): Buffer => Buffer.from(`${root}/${name}`);
    const url = (name: string): URL => pathToFileURL(`${root}/${name}`);
    fs.writeFileSync(bytes('f'), 'x');
    fs.copyFileSync(bytes('f'), url('copy'));
    fs.linkSync(url('f'), bytes('hard'));
    fs.symlinkSync(bytes('f'), url('soft'));
    await fs.promises.rename(url('copy'), bytes('renamed'));
    await fs.promises.cp(url('f'), url('copied'));
    fs.cpSync(url('f'), url('copied too'));
    fs.mkdirSync(url('made'));
    const results: unknown[] = [
      fs.readdirSync(bytes('.')),
      fs.readdirSync(url('.'), 'buffer'),
      fs.readlinkSync(bytes('soft'), 'buffer'),
      await fs.promises.realpath(url('soft'), 'buffer'),
      fs.realpathSync(bytes('soft'), 'buffer'),
      fs.realpathSync.native(url('soft')),
      outcomeSync(() => fs.statSync(bytes('none'))),
      outcomeSync(() => fs.renameSync(url('none'), bytes('x'))),
      outcomeSync(() => fs.rmSync(url('made'))),
    ];
    const entries = fs.readdirSync(bytes('.'), {
      withFileTypes: true,
      encoding: 'buffer' as never,
    });
    const listed = fs.opendirSync(url('made'), { encoding: 'buffer' as never });
    results.push(entries, listed.path, listed.readSync());
    listed.closeSync();
    fs.rmSync(url('made'), { recursive: true });
    fs.truncateSync(bytes('f'));
    fs.accessSync(url('f'), fs.constants.R_OK);
    fs.unlinkSync(bytes('soft'));
    return [...results, fs.existsSync(url('made')), fs.existsSync(bytes('f'))];
  }));

test('file systems as bigints, in all forms', () =>
  twice.same(async () => {
    const stats = [
      fs.statfsSync('.', { bigint: true }),
      await fs.promises.statfs('.', { bigint: true }),
      await new Promise<fs.BigIntStatsFs>((resolve) =>
        fs.statfs('.', { bigint: true }, (_error, result) => resolve(result)),
      ),
    ];
    return stats.map(({ type, bsize, blocks, files, ...rest }) => [
      [type, bsize, blocks, files],
      Object.entries(rest).map(([key, value]) => [key, typeof value]),
    ]);
  }));

test('a blob of a part of a file, and of one that is not there', () =>
  twice.same(async () => {
    fs.writeFileSync('f', 'content');
    const blob = await fs.openAsBlob(pathToFileURL('f'), { type: 'text/x' });
    assert.ok(blob instanceof Blob);
    return [await blob.slice(2, 4).text(), blob.type, await outcome(() => fs.openAsBlob('none'))];
  }));

test.run();

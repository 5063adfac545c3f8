/** Directories and whole trees: opendir, recursive listing, removing, copying and making. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withRemote } from '../../../src/index.ts';
import { outcome, outcomeSync } from '../../kit/outcome.ts';
import { suite } from '../../kit/suite.ts';
import { Twice } from '../../kit/twice.ts';

const test = suite('patches/fs/trees');
let twice: Twice;
test.before(async () => {
  twice = await Twice.start();
});
test.after(() => twice.stop());

function plant(root = 'tree'): void {
  fs.mkdirSync(`${root}/a/b`, { recursive: true });
  fs.mkdirSync(`${root}/empty`);
  fs.writeFileSync(`${root}/1`, 'one', { mode: 0o640 });
  fs.writeFileSync(`${root}/a/2`, 'two');
  fs.writeFileSync(`${root}/a/b/3`, 'three');
  fs.symlinkSync('../1', `${root}/a/link`);
}

/** All of a tree, as text. */
function picture(root: string): string[] {
  return fs
    .readdirSync(root, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = `${root}/${entry.name}`;
      if (entry.isDirectory()) return [`${path}/`, ...picture(path)];
      if (entry.isSymbolicLink()) return [`${path} -> ${fs.readlinkSync(path)}`];
      return [`${path} ${fs.readFileSync(path, 'utf8')} ${fs.statSync(path).mode.toString(8)}`];
    });
}

const byPlace = (entries: fs.Dirent[]): string[] =>
  entries.map((entry) => `${entry.parentPath}|${entry.name}|${entry.isDirectory()}`).sort();

test('opendir: blocking, by callback, by promise, as an iterator, closed twice', () =>
  twice.same(async () => {
    plant();
    const results: unknown[] = [];
    const blocking = fs.opendirSync('tree');
    const found: fs.Dirent[] = [];
    for (let entry = blocking.readSync(); entry !== null; entry = blocking.readSync())
      found.push(entry);
    blocking.closeSync();
    results.push(
      blocking.path,
      byPlace(found),
      outcomeSync(() => blocking.readSync()),
    );
    const later = await new Promise<fs.Dir>((resolve) =>
      fs.opendir('tree', (_error, directory) => resolve(directory)),
    );
    results.push(await new Promise((resolve) => later.read((error) => resolve(error))));
    await later.close();
    results.push(await outcome(() => later.close()));
    for (const options of [{}, { bufferSize: 1 }, { recursive: true }]) {
      const entries: fs.Dirent[] = [];
      for await (const entry of await fs.promises.opendir('tree', options)) entries.push(entry);
      results.push(byPlace(entries));
    }
    for await (const _ of await fs.promises.opendir('tree')) break;
    return results;
  }));

test('a directory of more entries than fit in one answer', () =>
  twice.same(async () => {
    fs.mkdirSync('many');
    for (let number = 0; number < 2100; number++) fs.writeFileSync(`many/${number}`, '');
    const names: string[] = [];
    for await (const entry of await fs.promises.opendir('many')) names.push(entry.name);
    const half = fs.opendirSync('many');
    for (let number = 0; number < 1200; number++) half.readSync();
    half.closeSync();
    return [names.sort(), fs.readdirSync('many').length];
  }));

test('recursive listings', () =>
  twice.same(async () => {
    plant();
    const all = { recursive: true, withFileTypes: true } as const;
    return [
      (fs.readdirSync('tree', { recursive: true }) as string[]).sort(),
      ((await fs.promises.readdir('tree', { recursive: true })) as string[]).sort(),
      byPlace(fs.readdirSync('tree', all)),
      byPlace(await fs.promises.readdir('tree', all)),
      byPlace(fs.readdirSync('./tree/', all)),
    ];
  }));

test('trees are removed', () =>
  twice.same(async () => {
    for (const name of ['s', 'p', 'c', 'kept']) plant(name);
    fs.symlinkSync('kept', 'link');
    const results = [
      outcomeSync(() => fs.rmSync('s', { recursive: true })),
      await outcome(() => fs.promises.rm('p', { recursive: true, force: true })),
      await new Promise((resolve) => fs.rm('c', { recursive: true }, resolve)),
      outcomeSync(() => fs.rmSync('link', { recursive: true })),
      outcomeSync(() => fs.rmSync('none', { recursive: true, force: true })),
      outcomeSync(() => fs.rmSync('kept/1')),
    ];
    return [...results, picture('.')];
  }));

test('trees are copied', () =>
  twice.same(async () => {
    plant();
    const copied = (name: string): string[] =>
      picture(name).map((line) => line.replace(/-> .*\/run-\d+/, '-> <root>'));
    const results: unknown[] = [];
    fs.cpSync('tree', 's', { recursive: true });
    results.push(copied('s'));
    await fs.promises.cp('tree', 'p', { recursive: true, verbatimSymlinks: true });
    results.push(copied('p'));
    await new Promise((resolve) => fs.cp('tree', 'c', { recursive: true }, resolve));
    results.push(copied('c'));
    await fs.promises.cp('tree', 'f', {
      recursive: true,
      filter: (source) => !source.includes('b'),
    });
    results.push(copied('f'));
    fs.writeFileSync('tree/1', 'changed');
    fs.cpSync('tree', 's', { recursive: true, force: false });
    fs.cpSync('tree', 'p', { recursive: true, dereference: true });
    results.push(fs.readFileSync('s/1', 'utf8'), fs.readFileSync('p/1', 'utf8'));
    results.push(await outcome(() => fs.promises.cp('tree', 'tree/a/in', { recursive: true })));
    fs.utimesSync('tree/1', 100, 200);
    await fs.promises.cp('tree/1', 'kept', { preserveTimestamps: true });
    return [...results, fs.statSync('kept').mtimeMs];
  }));

test('directories are made with their parents, in all forms', () =>
  twice.same(async (root) => [
    fs.mkdirSync('a/b/c', { recursive: true, mode: 0o700 }),
    fs.statSync('a/b/c').mode,
    await fs.promises.mkdir(`${root}/a/x/y`, { recursive: true }),
    await new Promise((resolve) =>
      fs.mkdir('a/b/c', { recursive: true }, (...all) => resolve(all)),
    ),
    fs.mkdirSync('plain'),
    picture('.'),
  ]));

test('a tree that is here is copied to the far side, and back', async () => {
  const here = fs.mkdtempSync(join(tmpdir(), 'elsewhere-cp-'));
  const far = `${twice.agent.folder}/from-here`;
  try {
    plant(join(here, 'tree'));
    const plain = (root: string): string[] =>
      picture(root).map((line) => line.replaceAll(root, '').replaceAll(here, ''));
    const expected = plain(join(here, 'tree'));
    const rules = { paths: { local: [here] }, stdio: 'local' } as const;
    const options = { recursive: true, verbatimSymlinks: true };
    await withRemote(twice.connection, rules, async () => {
      fs.cpSync(join(here, 'tree'), far, options);
      assert.deepEqual(plain(far), expected);
      fs.cpSync(far, join(here, 'back'), options);
      await fs.promises.cp(far, join(here, 'back-later'), options);
      const wrong = outcomeSync(() => fs.cpSync(join(here, 'tree'), `${far}/1`, options));
      assert.match(String((wrong as { code?: string }).code), /ERR_FS_CP_DIR_TO_NON_DIR/);
      fs.writeFileSync(`${far}/1`, 'changed');
      fs.cpSync(join(here, 'tree'), far, { ...options, force: false });
      assert.equal(fs.readFileSync(`${far}/1`, 'utf8'), 'changed');
    });
    assert.deepEqual(plain(join(here, 'back')), expected);
    assert.deepEqual(plain(join(here, 'back-later')), expected);
  } finally {
    fs.rmSync(here, { recursive: true });
  }
});

test('under a denied path no tree is removed, listed or copied blindly', async () => {
  const { connection, agent } = twice;
  const deny = { paths: { deny: [`${agent.folder}/kept/secret`] }, stdio: 'local' } as const;
  withRemote(connection, { stdio: 'local' }, () => {
    fs.mkdirSync('kept/secret', { recursive: true });
    fs.writeFileSync('kept/secret/file', 'x');
  });
  await withRemote(connection, deny, async () => {
    const refused = outcomeSync(() => fs.rmSync('kept', { recursive: true }));
    assert.match(
      String((refused as { code?: string }).code),
      /^(EACCES|ERR_ELSEWHERE_UNSUPPORTED)$/,
    );
    await assert.rejects(fs.promises.rm('kept', { recursive: true }), { code: 'EACCES' });
    await assert.rejects(fs.promises.cp('kept', 'stolen', { recursive: true }), { code: 'EACCES' });
    await assert.rejects(
      fs.promises.readdir('kept', { recursive: true }),
      /permission denied|denies paths/,
    );
  });
  withRemote(connection, { stdio: 'local' }, () => {
    assert.equal(fs.readFileSync('kept/secret/file', 'utf8'), 'x');
    assert.equal(fs.existsSync('stolen/secret'), false);
  });
});

test.run();

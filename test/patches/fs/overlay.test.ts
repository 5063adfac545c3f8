/** An overlay reads from the far side and keeps every change here, until it is committed. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Connection,
  connect,
  type Overlay,
  overlay,
  withLocal,
  withRemote,
} from '../../../src/index.ts';
import { startAgent, type TestAgent } from '../../kit/agent.ts';
import { outcome, outcomeSync } from '../../kit/outcome.ts';
import { suite } from '../../kit/suite.ts';

const test = suite('patches/fs/overlay');
let agent: TestAgent;
let connection: Connection;
let far: string;
let layer: Overlay;
const folders: string[] = [];
let runs = 0;

test.before(async () => {
  agent = await startAgent();
  connection = await connect(agent.url);
});
test.after(async () => {
  await connection.close();
  await agent.stop();
  for (const folder of folders) fs.rmSync(folder, { recursive: true, force: true });
});

function plant(root: string): void {
  fs.mkdirSync(`${root}/d/deep`, { recursive: true });
  fs.writeFileSync(`${root}/f`, 'far', { mode: 0o640 });
  fs.writeFileSync(`${root}/d/1`, 'one');
  fs.writeFileSync(`${root}/d/deep/2`, 'two');
  fs.symlinkSync('f', `${root}/link`);
  fs.symlinkSync('d', `${root}/dirlink`);
}

test.before.each(() => {
  runs += 1;
  far = `${agent.folder}/${runs}`;
  plant(far);
  layer = overlay(connection);
  folders.push(layer.folder);
});

/** All of a tree, as the code that asks sees it. */
function picture(root: string): string[] {
  return fs
    .readdirSync(root, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = `${root}/${entry.name}`;
      if (entry.isDirectory()) return [`${entry.name}/`, ...picture(path)];
      if (entry.isSymbolicLink()) return [`${entry.name} -> ${fs.readlinkSync(path)}`];
      const { mode } = fs.statSync(path);
      return [`${entry.name} ${fs.readFileSync(path, 'utf8')} ${(mode & 0o777).toString(8)}`];
    });
}

const inside = <R>(fn: () => R): R => withRemote({ fs: layer }, fn);

/** What programs do to files, in the current directory `root`. */
const EDITS: Readonly<Record<string, (root: string) => unknown>> = {
  'a file is overwritten': (root) => fs.writeFileSync(`${root}/f`, 'new'),
  'a file is appended to': (root) => fs.appendFileSync(`${root}/f`, ' and more'),
  'through a link': (root) => fs.writeFileSync(`${root}/link`, 'through'),
  'through a link to a directory': (root) => fs.writeFileSync(`${root}/dirlink/1`, 'through'),
  'a file is made, and read': (root) => {
    fs.writeFileSync(`${root}/d/new`, 'x');
    return fs.readFileSync(`${root}/d/new`, 'utf8');
  },
  'a file is removed': (root) => fs.unlinkSync(`${root}/f`),
  'removed and made again': (root) => {
    fs.unlinkSync(`${root}/f`);
    fs.writeFileSync(`${root}/f`, 'again');
  },
  'a tree is removed': (root) => fs.promises.rm(`${root}/d`, { recursive: true }),
  'a tree is removed, blocking': (root) => fs.rmSync(`${root}/d`, { recursive: true }),
  'a tree is removed, and made again, empty': (root) => {
    fs.rmSync(`${root}/d`, { recursive: true });
    fs.mkdirSync(`${root}/d`);
  },
  'a directory that is not empty is not removed': (root) =>
    outcomeSync(() => fs.rmdirSync(`${root}/d`)),
  'directories are made': (root) => fs.mkdirSync(`${root}/d/x/y/z`, { recursive: true }),
  'a file is renamed': (root) => fs.renameSync(`${root}/f`, `${root}/d/g`),
  'a file is renamed onto another': (root) => fs.renameSync(`${root}/f`, `${root}/d/1`),
  'a directory is renamed': (root) => fs.renameSync(`${root}/d`, `${root}/e`),
  'a directory that was changed is renamed, twice': (root) => {
    fs.writeFileSync(`${root}/d/1`, 'changed');
    fs.unlinkSync(`${root}/d/deep/2`);
    fs.renameSync(`${root}/d`, `${root}/e`);
    fs.renameSync(`${root}/e`, `${root}/d`);
  },
  'modes and times': (root) => {
    fs.chmodSync(`${root}/f`, 0o600);
    fs.utimesSync(`${root}/d/1`, 100, 200);
    return fs.statSync(`${root}/d/1`).mtimeMs;
  },
  links: (root) => {
    fs.symlinkSync('f', `${root}/l2`);
    fs.linkSync(`${root}/f`, `${root}/hard`);
    return [fs.readFileSync(`${root}/l2`, 'utf8'), fs.statSync(`${root}/hard`).nlink];
  },
  'a descriptor, at positions': (root) => {
    const fd = fs.openSync(`${root}/f`, 'r+');
    fs.writeSync(fd, 'XY', 1);
    fs.ftruncateSync(fd, 4);
    const text = fs.readFileSync(fd, 'utf8');
    fs.closeSync(fd);
    return text;
  },
  copies: (root) => {
    fs.copyFileSync(`${root}/f`, `${root}/copy`);
    fs.cpSync(`${root}/d`, `${root}/d2`, { recursive: true });
    return fs.promises.cp(`${root}/d`, `${root}/d3`, { recursive: true });
  },
  streams: async (root) => {
    const stream = fs.createWriteStream(`${root}/s`);
    stream.write('a');
    await new Promise((resolve) => stream.end('b', resolve as () => void));
    for await (const chunk of fs.createReadStream(`${root}/s`)) return String(chunk);
  },
  'exclusive, and what is not there': async (root) => [
    await outcome(() => fs.promises.writeFile(`${root}/f`, 'x', { flag: 'wx' })),
    await outcome(() => fs.promises.readFile(`${root}/none`)),
    await outcome(() => fs.promises.writeFile(`${root}/none/x`, 'x')),
    await outcome(() => fs.promises.mkdir(`${root}/d`)),
    fs.existsSync(`${root}/f/x`),
  ],
  'a listing of all': (root) => {
    fs.writeFileSync(`${root}/d/zz`, '');
    fs.unlinkSync(`${root}/d/1`);
    return (fs.readdirSync(root, { recursive: true }) as string[]).sort();
  },
};

/** Errors by what they say, without the folder. */
const plain = (value: unknown, root: string): unknown =>
  JSON.parse(
    JSON.stringify(value ?? null, (_key, item: unknown) =>
      item instanceof Error ? `${(item as { code?: string }).code}` : item,
    ).replaceAll(root, '<root>'),
  );

for (const [name, edit] of Object.entries(EDITS)) {
  test(`${name}: seen as if it were done there, done only here, then committed`, async () => {
    const twin = fs.mkdtempSync(join(tmpdir(), 'elsewhere-twin-'));
    folders.push(twin);
    plant(twin);
    const before = picture(far);
    const expected = plain(await edit(twin), twin);
    assert.deepEqual(plain(await inside(() => edit(far)), far), expected);
    assert.deepEqual(
      inside(() => picture(far)),
      picture(twin),
      'read your writes',
    );
    assert.deepEqual(picture(far), before, 'the far side is as it was');
    const again = overlay(connection, { folder: layer.folder });
    assert.deepEqual(
      withRemote({ fs: again }, () => picture(far)),
      picture(twin),
      'from the folder',
    );
    const changes = await layer.diff();
    assert.deepEqual(await layer.commit(), changes);
    assert.deepEqual(picture(far), picture(twin), 'committed');
    assert.deepEqual(await layer.diff(), []);
  });
}

test('diff names what was added, changed and removed', async () => {
  inside(() => {
    fs.writeFileSync(`${far}/f`, 'x');
    fs.writeFileSync(`${far}/d/new`, 'x');
    fs.unlinkSync(`${far}/d/1`);
    fs.writeFileSync(`${far}/passing`, '');
    fs.unlinkSync(`${far}/passing`);
  });
  assert.deepEqual(await layer.diff(), [
    { path: `${far}/d/1`, kind: 'removed', type: 'file' },
    { path: `${far}/d/new`, kind: 'added', type: 'file' },
    { path: `${far}/f`, kind: 'changed', type: 'file' },
  ]);
  layer.discard();
  assert.deepEqual(await layer.diff(), []);
  assert.equal(
    inside(() => fs.readFileSync(`${far}/f`, 'utf8')),
    'far',
  );
});

test('a commit that fails keeps the changes', async () => {
  inside(() => fs.writeFileSync(`${far}/d/new`, 'x'));
  withLocal(() => fs.rmSync(`${far}/d`, { recursive: true }));
  withLocal(() => fs.writeFileSync(`${far}/d`, 'a file now'));
  await assert.rejects(layer.commit(), { code: /^(ENOTDIR|EEXIST)$/ as never });
  assert.equal(
    inside(() => fs.readFileSync(`${far}/d/new`, 'utf8')),
    'x',
  );
});

test('watching is refused, not pretended', () => {
  assert.throws(() => inside(() => fs.watch(far)), { code: 'ERR_ELSEWHERE_UNSUPPORTED' });
});

test('a folder of something else is refused', () => {
  const folder = fs.mkdtempSync(join(tmpdir(), 'elsewhere-no-overlay-'));
  folders.push(folder);
  fs.writeFileSync(join(folder, 'removed.json'), '{"a":1}');
  assert.throws(() => overlay(connection, { folder }), { code: 'ERR_ELSEWHERE_ARGUMENT' });
});

test.run();

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import {
  type Connection,
  connect,
  deliver,
  download,
  obtain,
  timed,
  track,
  upload,
  uploadModule,
} from '../../src/index.ts';
import { startAgent, type TestAgent } from '../kit/agent.ts';
import { suite } from '../kit/suite.ts';

const test = suite('service/transfer', { limit: 20_000 });
let agent: TestAgent;
let conn: Connection;
let folder: string;

test.before(async () => {
  agent = await startAgent();
  conn = await connect(agent.url);
  folder = mkdtempSync(join(tmpdir(), 'elsewhere-transfer-'));
  mkdirSync(join(folder, 'tree', 'sub'), { recursive: true });
  writeFileSync(join(folder, 'tree', 'empty'), '');
  writeFileSync(join(folder, 'tree', 'sub', 'big.bin'), randomBytes(5_000_000));
  writeFileSync(join(folder, 'tree', 'sub', 'übung.sh'), 'echo');
  chmodSync(join(folder, 'tree', 'sub', 'übung.sh'), 0o750);
  symlinkSync('sub/übung.sh', join(folder, 'tree', 'link'));
});
test.after(async () => {
  await conn.close();
  await agent.stop();
  rmSync(folder, { recursive: true });
});

test('a folder up and down again is the same', async () => {
  const told: number[] = [];
  const up = await upload(conn, join(folder, 'tree'), join(agent.folder, 'up'), {
    onProgress: (bytes) => told.push(bytes),
  });
  assert.deepEqual(up, { files: 3, bytes: 5_000_004, resumed: 0 });
  assert.equal(told.at(-1), 5_000_004);
  assert.ok(told.length > 20, 'told while a file is on its way');
  assert.deepEqual(
    told,
    [...told].sort((a, b) => a - b),
  );
  const there = join(agent.folder, 'up');
  assert.equal(statSync(join(there, 'sub', 'übung.sh')).mode & 0o777, 0o750);
  assert.equal(readlinkSync(join(there, 'link')), 'sub/übung.sh');
  assert.deepEqual(readdirSync(join(there, 'sub')), ['big.bin', 'übung.sh'], 'nothing half-done');
  const back = join(folder, 'back');
  await download(conn, there, back, { filter: (path) => path !== 'empty' });
  assert.deepEqual(
    readFileSync(join(back, 'sub', 'big.bin')),
    readFileSync(join(folder, 'tree', 'sub', 'big.bin')),
  );
  assert.equal(existsSync(join(back, 'empty')), false);
  await assert.rejects(download(conn, join(there, 'nowhere'), back), { code: 'ENOENT' });
});

test('a single file', async () => {
  writeFileSync(join(folder, 'one'), 'text');
  await upload(conn, join(folder, 'one'), join(agent.folder, 'one'));
  await download(conn, join(agent.folder, 'one'), join(folder, 'two'));
  assert.equal(readFileSync(join(folder, 'two'), 'utf8'), 'text');
});

test('names of a hostile far side never lead out of the folder', async () => {
  for (const name of ['../x', '/etc/x', 'a/../../x', '..', 'a//b', 'a\0b']) {
    const hostile = {
      run: async () => [[name, 'file', 0o600, '', 1]],
      modules: {},
    } as unknown as Connection;
    await assert.rejects(download(hostile, 'x', join(folder, 'target')), {
      code: 'ERR_ELSEWHERE_PROTOCOL',
    });
  }
  assert.equal(existsSync(join(folder, 'target')), false);
});

test('D7 nothing is written through a link that an earlier transfer has left', async () => {
  const outside = join(folder, 'outside');
  const target = join(folder, 'linked');
  mkdirSync(outside);
  const sends = (...entries: unknown[]): Connection =>
    ({ run: async () => entries, modules: {} }) as unknown as Connection;
  const root = ['', 'folder', 0o755, '', 0];
  await download(sends(root, ['a', 'link', 0, outside, 0]), 'x', target);
  const inside = [root, ['a', 'folder', 0o755, '', 0], ['a/x', 'file', 0o600, '', 1]];
  await assert.rejects(download(sends(...inside), 'x', target), { code: 'ERR_ELSEWHERE_DENIED' });
  await assert.rejects(download(sends(root, inside[2]), 'x', target), {
    code: 'ERR_ELSEWHERE_DENIED',
  });
  assert.deepEqual(readdirSync(outside), []);
});

test('resume: a part goes on behind what is proven to be the beginning; what is whole is not sent again', async () => {
  const bytes = randomBytes(3_000_000);
  const [here, away] = [join(folder, 'resumed'), join(agent.folder, 'resumed')];
  writeFileSync(here, bytes);
  for (const [part, resumed] of [
    [bytes.subarray(0, 1_000_000), 1_000_000],
    [Buffer.alloc(1_000_000), 0],
    [Buffer.concat([bytes, bytes]), 0],
  ] as const) {
    rmSync(away, { force: true });
    writeFileSync(`${away}.part`, part);
    const up = await upload(conn, here, away, { resume: true });
    assert.deepEqual(up, { files: 1, bytes: 3_000_000, resumed });
    assert.ok(readFileSync(away).equals(bytes));
    const back = `${here}-back`;
    rmSync(back, { force: true });
    writeFileSync(`${back}.part`, part);
    const down = await download(conn, away, back, { resume: true });
    assert.deepEqual(down, { files: 1, bytes: 3_000_000, resumed });
    assert.ok(readFileSync(back).equals(bytes));
    assert.equal(existsSync(`${back}.part`) || existsSync(`${away}.part`), false);
  }
  assert.equal((await upload(conn, here, away, { resume: true })).resumed, 3_000_000);
  assert.equal((await download(conn, away, here, { resume: true })).resumed, 3_000_000);
});

test('a package is uploaded and imported', async () => {
  const own = join(folder, 'node_modules', 'greeter');
  mkdirSync(own, { recursive: true });
  writeFileSync(join(own, 'package.json'), '{ "name": "greeter", "main": "index.js" }');
  writeFileSync(join(own, 'index.js'), 'exports.greet = (who) => "hi " + who;');
  const specifier = await uploadModule(conn, 'greeter', { from: folder });
  const greeter = await conn.import<{ greet(who: string): string }>(specifier);
  assert.equal(await greeter.greet('Ada'), 'hi Ada');
});

test('deliver and obtain', async () => {
  const list = await deliver(conn, { items: [1, 2], at: new Date(0) });
  assert.deepEqual(await obtain(list), { items: [1, 2], at: new Date(0) });
  const twice = await deliver(conn, (x: number) => x * 2);
  assert.equal(await twice(4), 8);
});

test('track and timed', async () => {
  let go: (value: number) => void = () => undefined;
  const tracked = track(
    conn.run(
      async (wait: () => Promise<number>) => wait(),
      () => new Promise<number>((resolve) => (go = resolve)),
    ),
  );
  assert.equal(tracked.ready, false);
  assert.equal(inspect(tracked), 'Tracked { pending }');
  await conn.ping();
  go(5);
  assert.equal(await tracked, 5);
  assert.equal(inspect(tracked), 'Tracked { fulfilled: 5 }');
  const never = timed(() => conn.run(() => new Promise<void>(() => undefined)), 20);
  await assert.rejects(never(), { code: 'ERR_ELSEWHERE_TIMEOUT' });
  assert.equal(await timed(async () => 1, 1000)(), 1);
});

test.run();

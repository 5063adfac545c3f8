/** How many packets a file operation costs: the whole of a small file, or of a tree, is one question and one answer. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import sinon from 'sinon';
import { type Connection, connect, withRemote } from '../../../src/index.ts';
import { startAgent, type TestAgent } from '../../kit/agent.ts';
import { suite } from '../../kit/suite.ts';

const test = suite('patches/fs/round-trips', { limit: 30_000 });
let agent: TestAgent;
let connection: Connection;

/** Blocking calls go over a link of their own, so they are counted where they start. */
let blocking = 0;

test.before(async () => {
  agent = await startAgent();
  connection = await connect(agent.url);
  const channel = connection.channel as { requestSync(...args: unknown[]): unknown };
  const { requestSync } = channel;
  channel.requestSync = function (this: unknown, ...args: unknown[]): unknown {
    blocking += 1;
    return requestSync.apply(channel, args);
  };
  withRemote(connection, () => {
    fs.writeFileSync('small', 'x'.repeat(1000));
    fs.mkdirSync('tree/a/b', { recursive: true });
    for (const path of ['tree/1', 'tree/a/2', 'tree/a/b/3']) fs.writeFileSync(path, path);
  });
});
test.after(async () => {
  await connection.close();
  await agent.stop();
});

interface Cost {
  readonly blocking: number;
  /** Packets of answers on the main link: one for each round trip. */
  readonly answers: number;
}

async function costOf(work: () => unknown): Promise<Cost> {
  // What an earlier call left to send belongs to that call.
  await connection.ping();
  const before = connection.stats().packetsReceived;
  const blockingBefore = blocking;
  await withRemote(connection, work);
  const answers = connection.stats().packetsReceived - before;
  return { blocking: blocking - blockingBefore, answers };
}

const called = (start: (done: () => void) => void): Promise<void> => new Promise(start);

const BLOCKING: Readonly<Record<string, () => unknown>> = {
  'readFileSync of bytes': () => fs.readFileSync('small'),
  'readFileSync of text': () => fs.readFileSync('small', 'utf8'),
  'writeFileSync of text': () => fs.writeFileSync('w', 'text'),
  'writeFileSync of bytes': () => fs.writeFileSync('w', Buffer.from('bytes')),
  appendFileSync: () => fs.appendFileSync('w', 'more'),
  statSync: () => fs.statSync('small'),
  existsSync: () => fs.existsSync('small'),
  'readdirSync with types': () => fs.readdirSync('.', { withFileTypes: true }),
  'readdirSync recursive': () => fs.readdirSync('tree', { recursive: true }),
  realpathSync: () => fs.realpathSync('tree/a/b'),
  'mkdirSync recursive': () => fs.mkdirSync('made/x/y', { recursive: true }),
  'rmSync recursive': () => fs.rmSync('made', { recursive: true }),
  'cpSync of a tree': () => fs.cpSync('tree', 'copied-now', { recursive: true }),
  'opendirSync to its end': () => {
    const directory = fs.opendirSync('tree');
    while (directory.readSync() !== null);
    directory.closeSync();
  },
};
for (const [name, work] of Object.entries(BLOCKING)) {
  test(`${name} is one round trip`, async () => {
    assert.deepEqual(await costOf(work), { blocking: 1, answers: 0 });
  });
}

const { promises } = fs;
const LATER: Readonly<Record<string, () => unknown>> = {
  'promises.readFile of bytes': () => promises.readFile('small'),
  'promises.readFile of text': () => promises.readFile('small', 'utf8'),
  readFile: () => called((done) => fs.readFile('small', done)),
  'promises.writeFile of text': () => promises.writeFile('w', 'text'),
  'promises.writeFile of bytes': () => promises.writeFile('w', Buffer.from('bytes')),
  writeFile: () => called((done) => fs.writeFile('w', 'text', done)),
  'promises.stat': () => promises.stat('small'),
  exists: () => called((done) => fs.exists('small', done)),
  'promises.readdir with types': () => promises.readdir('.', { withFileTypes: true }),
  'promises.readdir recursive': () => promises.readdir('tree', { recursive: true }),
  'promises.mkdir recursive': () => promises.mkdir('made/x/y', { recursive: true }),
  'promises.rm recursive': () => promises.rm('made', { recursive: true }),
  'promises.cp of a tree': () => promises.cp('tree', 'copied', { recursive: true }),
  'cp of a tree': () => called((done) => fs.cp('tree', 'copied-too', { recursive: true }, done)),
  'promises.rm of a copy': () => promises.rm('copied', { recursive: true }),
  realpath: () => called((done) => fs.realpath('tree/a', done)),
  'a hundred at once of promises.stat': () =>
    Promise.all(Array.from({ length: 100 }, () => promises.stat('small'))),
};
for (const [name, work] of Object.entries(LATER)) {
  test(`${name} is one round trip`, async () => {
    assert.deepEqual(await costOf(work), { blocking: 0, answers: 1 });
  });
}

/** What was read ahead is given up after a while, which a busy machine may well need. */
async function withoutTime(work: () => Promise<void>): Promise<void> {
  const clock = sinon.stub(performance, 'now').returns(performance.now());
  try {
    await work();
  } finally {
    clock.restore();
  }
}

test('64 KB one byte at a time, of a large file, are at most 4 round trips', async () => {
  const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, i) => i % 251));
  withRemote(connection, () => fs.writeFileSync('large', bytes));
  const one = Buffer.alloc(1);
  const read: number[] = [];
  const blockingBefore = blocking;
  await withoutTime(async () =>
    withRemote(connection, () => {
      const descriptor = fs.openSync('large', 'r');
      for (let i = 0; i < 65_536; i++) {
        fs.readSync(descriptor, one, 0, 1, null);
        read.push(one[0] as number);
      }
      fs.closeSync(descriptor);
    }),
  );
  const calls = blocking - blockingBefore;
  assert.ok(calls <= 4, `${calls} calls`);
  assert.deepEqual(Buffer.from(read), bytes.subarray(0, 65_536));
  const before = connection.stats().framesReceived;
  await withoutTime(() =>
    withRemote(connection, async () => {
      const handle = await promises.open('large');
      for (let i = 0; i < 65_536; i++) await handle.read(one, 0, 1, null);
      await handle.close();
    }),
  );
  // Not packets: a large answer may come in several.
  const answers = connection.stats().framesReceived - before;
  assert.ok(answers <= 4, `${answers} answers`);
});

test('a change of our own is seen by reads that come after it', async () => {
  await withRemote(connection, async () => {
    fs.writeFileSync('changing', Buffer.alloc(2_000_000, 1));
    const handle = await promises.open('changing');
    const piece = Buffer.alloc(65_536);
    for (let i = 0; i < 6; i++) await handle.read(piece, 0, piece.length, null);
    fs.writeFileSync('changing', Buffer.alloc(2_000_000, 2));
    await handle.read(piece, 0, piece.length, null);
    assert.equal(
      piece.every((byte) => byte === 2),
      true,
    );
    // What is beyond the size that the file had is read as well.
    await promises.truncate('changing', 450_000);
    let left = 0;
    for (let n = -1; n !== 0; left += n)
      n = (await handle.read(piece, 0, piece.length, null)).bytesRead;
    assert.equal(left, 0);
    await promises.appendFile('changing', 'more');
    assert.equal((await handle.read(piece, 0, piece.length, 450_000)).bytesRead, 4);
    await handle.close();
  });
});

test('reads at once from one descriptor each get their own part', async () => {
  await withRemote(connection, async () => {
    const handle = await promises.open('large');
    const parts = await Promise.all(
      Array.from({ length: 10 }, () => handle.read(Buffer.alloc(30_000), 0, 30_000, null)),
    );
    const all = Buffer.concat(parts.map(({ buffer, bytesRead }) => buffer.subarray(0, bytesRead)));
    await handle.close();
    assert.deepEqual(all, fs.readFileSync('large'));
  });
});

interface Globs {
  globSync(pattern: string, options?: object): string[];
  glob(pattern: string, done: (error: unknown, names: string[]) => void): void;
}

/** From Node 22 on. */
if ('globSync' in fs) {
  // Not taken out of `fs`: that would be Node's own, which is not one round trip.
  const globs = fs as unknown as Globs;
  const iterated = promises as unknown as { glob(pattern: string): AsyncIterable<string> };
  const expected = ['tree/1', 'tree/a/2', 'tree/a/b/3'];
  test('globSync is one round trip', async () => {
    const cost = await costOf(() =>
      assert.deepEqual(globs.globSync('tree/**/[0-9]').sort(), expected),
    );
    assert.deepEqual(cost, { blocking: 1, answers: 0 });
  });
  test('glob and promises.glob are one round trip', async () => {
    const later = await costOf(async () => {
      const names = await new Promise<string[]>((resolve, reject) =>
        globs.glob('tree/**/[0-9]', (error, list) =>
          error === null ? resolve(list) : reject(error),
        ),
      );
      assert.deepEqual(names.sort(), expected);
    });
    const promised = await costOf(async () => {
      const names: string[] = [];
      for await (const name of iterated.glob('tree/**/[0-9]')) names.push(name);
      assert.deepEqual(names.sort(), expected);
    });
    assert.deepEqual([later, promised], Array(2).fill({ blocking: 0, answers: 1 }));
  });
  test('globSync with types is one round trip, also from Node 24 on with patterns that exclude', async () => {
    const isLater = Number.parseInt(process.versions.node, 10) >= 24;
    const exclude = isLater ? ['tree/a/b/**'] : [];
    const cost = await costOf(() => {
      const entries = globs.globSync('tree/**/[0-9]', { withFileTypes: true, exclude });
      assert.equal(entries.length, isLater ? 2 : 3);
    });
    assert.deepEqual(cost, { blocking: 1, answers: 0 });
  });
}

test.run();

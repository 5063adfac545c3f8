/** Blocking calls end to end: the same suite over every kind of link, against an agent in a process of its own. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { type Connection, connect, withRemote } from '../../src/index.ts';
import { startAgent, type TestAgent } from '../kit/agent.ts';
import { suite } from '../kit/suite.ts';
import type { LinkKind } from './link-kinds.ts';

const large = randomBytes(64 * 1024 * 1024);
const digest = (bytes: Uint8Array): string => createHash('sha1').update(bytes).digest('hex');

/** The agent's sockets, but for those that it listens on; in the order in which they came. */
const LINKS = 'process._getActiveHandles().filter((handle) => handle.server)';

export function syncLaneSuite(kind: LinkKind): void {
  const { name, listen, args = [], options = {}, dial = (url: string) => url } = kind;
  const test = suite(`connection/sync-lane over ${name}`, { limit: 30_000, fileLimit: 120_000 });
  let agent: TestAgent;
  let conn: Connection;
  const far = <R>(fn: () => R): R => withRemote(conn, { except: ['stdio'] }, fn);

  test.before(async () => {
    agent = await startAgent({ listen, args });
    conn = await connect(dial(agent.url), options);
  });
  test.after(async () => {
    await conn.close();
    await agent.stop();
  });

  test('the link is opened at the first blocking call, and once', async () => {
    assert.equal(await conn.eval(`${LINKS}.length`), 1);
    far(() => fs.writeFileSync('small', 'small text'));
    far(() => assert.equal(fs.readFileSync('small', 'utf8'), 'small text'));
    assert.equal(await conn.eval(`${LINKS}.length`), 2);
  });

  test('blocking calls send nothing on the main link', () => {
    const { packetsSent } = conn.stats();
    far(() => {
      for (let i = 0; i < 10; i++) fs.statSync('small');
    });
    assert.equal(conn.stats().packetsSent, packetsSent);
  });

  test('64 MB arrive byte for byte, both ways', () => {
    far(() => fs.writeFileSync('large', large));
    assert.equal(digest(fs.readFileSync(join(agent.folder, 'large'))), digest(large));
    const read = far(() => fs.readFileSync('large'));
    assert.equal(digest(read), digest(large));
    assert.equal(
      far(() => fs.statSync('large').size),
      large.length,
    );
  });

  test('sizes around the limits of packets and attachments', () => {
    for (const size of [0, 1, 65_535, 65_536, 65_537, 262_143, 262_144, 262_145, 1_048_577]) {
      const bytes = large.subarray(size, 2 * size);
      far(() => fs.writeFileSync('sized', bytes));
      assert.deepEqual(
        far(() => fs.readFileSync('sized')),
        bytes,
        String(size),
      );
    }
  });

  test('errors are as the same call fails here', () => {
    for (const attempt of [
      () => fs.readFileSync('nowhere'),
      () => fs.statSync('small/below'),
      () => fs.readFileSync('.'),
      () => fs.mkdirSync('small'),
      () => fs.renameSync('nowhere', 'other'),
    ]) {
      const there = thrown(() => far(attempt));
      const before = process.cwd();
      process.chdir(agent.folder);
      const here = thrown(attempt);
      process.chdir(before);
      assert.deepEqual({ ...there }, { ...here });
      assert.equal(there.message, here.message);
    }
  });

  test('it sees what was sent asynchronously before', async () => {
    const writes: Promise<void>[] = [];
    far(() => {
      for (let i = 0; i < 20; i++)
        writes.push(fs.promises.writeFile('ordered', `${i} `, { flag: 'a' }));
    });
    // The frames have left; none of the answers has come.
    await new Promise<void>((resolve) => process.nextTick(resolve));
    const text = far(() => fs.readFileSync('ordered', 'utf8'));
    assert.equal(text.trim().split(' ').length, 20);
    await Promise.all(writes);
  });

  test('it sees what was sent in several ticks of the same turn', async () => {
    const writes: Promise<void>[] = [];
    for (let i = 0; i < 3; i++) {
      far(() => writes.push(fs.promises.writeFile('turns', `${i} `, { flag: 'a' })));
      await new Promise<void>((resolve) => process.nextTick(resolve));
    }
    assert.equal(
      far(() => fs.readFileSync('turns', 'utf8')),
      '0 1 2 ',
    );
    await Promise.all(writes);
  });

  test('inside a callback, and between two awaits', async () => {
    const seen = await far(
      () =>
        new Promise<string[]>((resolve) => {
          fs.readFile('small', 'utf8', (_error, first) => {
            const second = fs.readFileSync('small', 'utf8');
            setImmediate(() => resolve([first, second, fs.readFileSync('small', 'utf8')]));
          });
        }),
    );
    assert.deepEqual(seen, ['small text', 'small text', 'small text']);
  });

  test('a link that was lost while idle is opened again', async () => {
    far(() => fs.statSync('small'));
    // The youngest socket is the blocking link.
    await conn.execute(`${LINKS}.at(-1).destroy()`);
    await sleep(300);
    assert.equal(
      far(() => fs.readFileSync('small', 'utf8')),
      'small text',
    );
    assert.equal(await conn.eval(`${LINKS}.length`), 2);
  });

  test('a worker thread of the program has blocking calls of its own', async () => {
    const source = `
      const { parentPort, workerData } = require('node:worker_threads');
      const fs = require('node:fs');
      import(workerData.index).then(async ({ connect, withLocal, withRemote }) => {
        const conn = await connect(workerData.url, workerData.options);
        const text = withRemote(conn, () => fs.readFileSync('small', 'utf8'));
        await conn.close();
        parentPort.postMessage(text);
      });`;
    const index = new URL('../../src/index.js', import.meta.url).href;
    const worker = new Worker(source, {
      eval: true,
      workerData: { index, url: dial(agent.url), options },
    });
    const text = await new Promise((resolve, reject) => {
      worker.once('message', resolve).once('error', reject);
    });
    assert.equal(text, 'small text');
  });

  test.run();
}

function thrown(fn: () => unknown): NodeJS.ErrnoException {
  try {
    fn();
  } catch (error) {
    return error as NodeJS.ErrnoException;
  }
  throw new assert.AssertionError({ message: 'nothing was thrown' });
}

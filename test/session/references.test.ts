// References, callbacks, iterations and streams over links that are cut again and again: each call once, each item once.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Connection } from '../../src/index.ts';
import { suite } from '../kit/suite.ts';
import { onStage } from './stage.ts';

const test = suite('session/references', { limit: 40_000 });
const BREAKS = 6;

interface Counter {
  add(n: number): Promise<number>;
  seen(): Promise<number[]>;
  each(fn: (n: number) => number, from: number, to: number): Promise<number[]>;
}

const COUNTER = `class Counter {
  #seen = [];
  add(n) { this.#seen.push(n); return n; }
  seen() { return this.#seen; }
  async each(fn, from, to) {
    const got = [];
    for (let n = from; n < to; n++) got.push(await fn(n));
    return got;
  }
}`;

const counter = async (conn: Connection): Promise<Counter> => {
  await conn.execute(`namespace.Counter = ${COUNTER}`);
  return (await conn.eval('new namespace.Counter()')) as Counter;
};

for (const scheme of ['tcp', 'ws'] as const)
  test(`${scheme}: calls by reference and callbacks are executed exactly once`, () =>
    onStage(scheme, { life: 40, seed: 5 }, async ({ chaos, conn }) => {
      const far = await counter(conn);
      const called: number[] = [];
      const near = (n: number): number => {
        called.push(n);
        return -n;
      };
      let n = 0;
      while (chaos.broken < BREAKS) {
        const from = n;
        n += 20;
        const adding = Array.from({ length: 20 }, (_, i) => far.add(from + i));
        const [got, added] = await Promise.all([far.each(near, from, n), Promise.all(adding)]);
        assert.deepEqual(
          got,
          added.map((i) => -i),
        );
      }
      const all = Array.from({ length: n }, (_, i) => i);
      assert.deepEqual(await far.seen(), all);
      assert.deepEqual(called, all);
    }));

test('iterations bring each item once, in both directions', () =>
  onStage('tcp', { life: 40, seed: 9 }, async ({ chaos, conn }) => {
    await conn.execute(`
      namespace.count = async function* (to) { for (let i = 0; i < to; i++) { if (i % 50 === 0) await null; yield i; } };
      namespace.collect = async (items) => { const all = []; for await (const item of items) all.push(item); return all; };`);
    const expected = Array.from({ length: 2000 }, (_, i) => i);
    async function* count(): AsyncGenerator<number> {
      for (const i of expected) {
        if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
        yield i;
      }
    }
    do {
      const got: unknown[] = [];
      const items = (await conn.eval('count(2000)')) as AsyncIterable<number>;
      for await (const item of items) got.push(item);
      assert.deepEqual(got, expected);
      assert.deepEqual(await conn.namespace['collect']?.(count()), expected);
    } while (chaos.broken < BREAKS);
  }));

test('streams that are handed over arrive byte for byte, in both directions', () =>
  onStage('tcp', { life: 60, seed: 4 }, async ({ chaos, conn }) => {
    await conn.execute(`
      const { Readable, Writable } = require('node:stream');
      namespace.source = (size) => Readable.from((function* () { for (let i = 0; i < size; i += 10000) yield Buffer.alloc(10000, i / 10000); })(), { objectMode: false });
      namespace.digest = async (stream) => { const hash = crypto.createHash('sha1'); for await (const part of stream) hash.update(part); return hash.digest('hex'); };`);
    const size = 1_000_000;
    const parts = Array.from({ length: size / 10_000 }, (_, i) => Buffer.alloc(10_000, i));
    const expected = createHash('sha1').update(Buffer.concat(parts)).digest('hex');
    do {
      const hash = createHash('sha1');
      const source = (await conn.eval(`source(${size})`)) as unknown as Readable;
      await pipeline(
        source,
        new Writable({
          write: (chunk: Buffer, _encoding, done) => {
            hash.update(chunk);
            done();
          },
        }),
      );
      assert.equal(hash.digest('hex'), expected);
      const own = Readable.from(parts, { objectMode: false });
      assert.equal(await conn.namespace['digest']?.(own), expected);
    } while (chaos.broken < BREAKS);
  }));

test('after a real loss all that is pending settles at once, and says whether it may have been carried out', () =>
  onStage('tcp', { grace: 200 }, async ({ agent, chaos, conn }) => {
    await conn.execute(`
      namespace.never = () => new Promise(() => {});
      namespace.hang = async function* () { yield 1; await new Promise(() => {}); };
      namespace.open = () => new (require('node:stream').Readable)({ read() {} });`);
    const items = ((await conn.eval('hang()')) as AsyncIterable<number>)[Symbol.asyncIterator]();
    assert.deepEqual(await items.next(), { value: 1, done: false });
    const stream = (await conn.eval('open()')) as unknown as Readable;
    const sent = [
      conn.namespace['never']?.(),
      conn.eval('never()'),
      items.next(),
      new Promise((_resolve, reject) => stream.once('error', reject).resume()),
    ] as Promise<unknown>[];
    await conn.ping();
    const lost = new Promise<number>((resolve) =>
      conn.on('lost', () => resolve(performance.now())),
    );
    const down = new Promise((resolve) => conn.on('down', resolve));
    agent.process.kill('SIGSTOP');
    chaos.cut();
    await down;
    // While the link is down nothing leaves.
    const unsent = [conn.namespace['never']?.(), conn.eval('1')] as Promise<unknown>[];
    const fate = async (promise: Promise<unknown>): Promise<unknown[]> => {
      const error = await promise.then(
        () => assert.fail('it was answered'),
        (reason: Error & { code?: string; maybeExecuted?: boolean }) => reason,
      );
      return [error.code, error.maybeExecuted, performance.now() - (await lost) < 1000];
    };
    const LOST = 'ERR_ELSEWHERE_CONNECTION_LOST';
    for (const promise of sent) assert.deepEqual(await fate(promise), [LOST, true, true]);
    for (const promise of unsent) assert.deepEqual(await fate(promise), [LOST, false, true]);
    agent.process.kill('SIGCONT');
  }));

test.run();

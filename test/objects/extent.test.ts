/** Rows D5 and D18 of the attack list: what an answer may bring, and what a copy may have. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { patches } from '../../patches/index.ts';
import { connectPair, obtain, withRemote } from '../../src/index.ts';
import { Operation } from '../../src/objects/operation.ts';
import { type Place, placeOf } from '../../src/objects/reference.ts';
import { connectPairWith } from '../../src/service/pair.ts';
import { suite } from '../kit/suite.ts';

const test = suite('objects/extent');
type Names = Record<string, unknown>;
const LIMIT = { code: 'ERR_ELSEWHERE_LIMIT', message: /obtain\(reference, \{ most \}\)/ };

test('obtain copies what is within its limit, a cycle too, and nothing of what is not', async () => {
  const { near, far } = await connectPair();
  await near.eval(`globalThis.extentTest = (() => {
    class Box { constructor(content) { this.content = content; } get loud() { throw new Error('ran'); } }
    const small = new Box({ list: [1, 2] });
    small.content.list.push(small.content);
    return {
      small,
      large: new Box(Array.from({ length: 10 }, () => new Uint8Array(1000))),
      data: 'x'.repeat(5000),
      huge: new Box(Array.from({ length: 70 }, () => Buffer.alloc(2 ** 20))),
    };
  })(), null`);
  const names = (near.global as unknown as Names)['extentTest'] as Names;
  const { content } = (await obtain(names['small'])) as { content: { list: unknown[] } };
  assert.equal(content.list[2], content);
  assert.deepEqual(content.list.slice(0, 2), [1, 2]);
  await assert.rejects(obtain(names['large'], { most: 9999 }), LIMIT);
  assert.equal(((await obtain(names['large'])) as { content: unknown[] }).content.length, 10);
  await assert.rejects(obtain(names['data'], { most: 4999 }), LIMIT);
  assert.equal(await obtain(names['data'], { most: 6000 }), 'x'.repeat(5000));
  await assert.rejects(obtain(names['huge']), LIMIT);
  await assert.rejects(obtain(await (names['large'] as object), { most: 9999 }), LIMIT);
  assert.equal(near.state, 'up', 'one refusal ends nothing');
  await near.close();
  await far.close();
});

test('a far side that brings more than a copy may have is cut off before it has', async () => {
  const { near, far } = await connectPair();
  const box: unknown = await near.eval('new (class Box { bytes = new Uint8Array(2 ** 20) })()');
  const place = placeOf(box) as Place;
  // As one that does not keep to what it was told.
  const copy = place.caller.perform({ ...place, limits: { most: 99_999 } }, Operation.COPY, []);
  await assert.rejects(copy.promise, { code: 'ERR_ELSEWHERE_CONNECTION_LOST' });
  assert.match((await near.closed).message, /1048576 bytes in answer to .*, which may bring 99999/);
  await far.close();
});

test('no answer to a substituted function may bring more than 256 MiB', async () => {
  const piece = Buffer.alloc(2 ** 20);
  const calls = { readdir: () => Array.from({ length: 257 }, () => piece) };
  const hostile = patches.map((patch) =>
    patch.name === 'fs' ? { ...patch, remote: () => ({ calls }) } : patch,
  );
  for (const attack of [() => fs.promises.readdir('/x'), async () => fs.readdirSync('/x')]) {
    const { near, far } = await connectPairWith(hostile);
    const before = process.memoryUsage.rss();
    await assert.rejects(withRemote(near, attack), { code: 'ERR_ELSEWHERE_CONNECTION_LOST' });
    assert.match(
      (await near.closed).message,
      /in answer to fs\.readdir, which may bring 268435456/,
    );
    assert.ok(process.memoryUsage.rss() - before < 2 ** 27, 'it was not taken');
    await far.close();
  }
});

test.run();

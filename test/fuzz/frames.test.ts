import assert from 'node:assert/strict';
import { suite } from '../kit/suite.ts';
import { fuzz } from './frames.ts';
import { fuzzLinks } from './links.ts';

const test = suite('fuzz/frames', { limit: 30_000 });

function intrinsics(): unknown[] {
  return [Object, Function, Array, Map, Set, Promise, Error, Buffer].flatMap((builtin) =>
    [builtin, builtin.prototype as object].flatMap((object) =>
      Reflect.ownKeys(object).map((key) => [
        key,
        Object.getOwnPropertyDescriptor(object, key)?.value,
      ]),
    ),
  );
}

test('20,000 mutated frames: errors and nothing else, none of them slow, nothing poisoned', async () => {
  const before = intrinsics();
  const { accepted, carriedOut, slowest } = await fuzz(
    20_000,
    Number(process.env['ELSEWHERE_TEST_SEED'] ?? 1),
  );
  assert.ok(
    accepted > 1000 && carriedOut > 100,
    `${accepted} decoded, ${carriedOut} carried out: too tame`,
  );
  assert.ok(slowest < 100, `${slowest} ms for one frame`);
  const after = intrinsics();
  assert.equal(after.length, before.length);
  for (const [i, pair] of after.entries()) assert.deepEqual(pair, before[i]);
});

test('5,000 mutated links: packets, bytes for ws and refusals, none of them slow', async () => {
  const { packets, passed, refused, slowest } = await fuzzLinks(
    5000,
    Number(process.env['ELSEWHERE_TEST_SEED'] ?? 1),
  );
  assert.ok(packets > 1000 && passed > 1000 && refused > 100, `${packets} ${passed} ${refused}`);
  assert.ok(slowest < 100, `${slowest} ms for one link`);
});

test.run();

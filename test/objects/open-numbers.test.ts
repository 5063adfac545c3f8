import assert from 'node:assert/strict';
import { OpenNumbers } from '../../src/objects/open-numbers.ts';
import { fc } from '../kit/random.ts';
import { suite } from '../kit/suite.ts';

const test = suite('objects/open-numbers');

test('the lowest open number is that of a plain set', () => {
  const step = fc.oneof(fc.constant('open' as const), fc.nat({ max: 50 }));
  void fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const numbers = new OpenNumbers();
      const open = new Set<number>();
      let next = 0;
      for (const each of steps) {
        if (each === 'open') {
          assert.equal(numbers.open(), next);
          open.add(next++);
        } else {
          // Mostly one that is open.
          const number = [...open][each % Math.max(open.size, 1)] ?? each;
          numbers.close(number);
          open.delete(number);
        }
        assert.equal(numbers.lowest, Math.min(...open, next));
        assert.equal(numbers.size, open.size);
        assert.deepEqual(
          numbers.all(),
          [...open].sort((a, b) => a - b),
        );
      }
    }),
  );
});

test('many numbers behind one that stays open, closed in any order', () => {
  const numbers = new OpenNumbers();
  for (let i = 0; i < 10_000; i++) numbers.open();
  for (let i = 1; i < 5000; i++) numbers.close(i);
  assert.equal(numbers.lowest, 0);
  numbers.close(0);
  assert.equal(numbers.lowest, 5000);
  for (let i = 9999; i >= 5001; i--) numbers.close(i);
  assert.equal(numbers.lowest, 5000);
  numbers.close(5000);
  assert.equal(numbers.lowest, 10_000);
  assert.equal(numbers.open(), 10_000);
  assert.equal(numbers.size, 1);
});

test.run();

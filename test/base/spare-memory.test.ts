import assert from 'node:assert/strict';
import sinon from 'sinon';
import { giveBack, lend, lendUntilSent, sent } from '../../src/base/spare-memory.ts';
import { suite } from '../kit/suite.ts';

const test = suite('base/spare-memory');
const KiB = 1024;
const MiB = 1024 * KiB;
const same = (one: Buffer, other: Buffer): boolean => one.buffer === other.buffer;

// The first test: a timer of another one would not be of its clock.
test('at most 16 MiB wait to be used again, and nothing after 20 s without use', () => {
  const clock = sinon.useFakeTimers();
  try {
    const many = Array.from({ length: 24 }, () => lend(MiB));
    for (const bytes of many) giveBack(bytes);
    const memories = new Set(many.map(({ buffer }) => buffer));
    const again = Array.from({ length: 24 }, () => lend(MiB));
    const reused = again.filter(({ buffer }) => memories.has(buffer)).length;
    assert.ok(reused > 0 && reused <= 16, `${reused} of 24 MiB were kept`);
    const last = again[0] as Buffer;
    giveBack(last);
    clock.tick(25_000);
    assert.ok(!same(lend(MiB), last));
  } finally {
    clock.restore();
  }
});

test('what was given back is lent again, to one borrower', () => {
  const first = lend(256 * KiB);
  giveBack(first.subarray(4));
  giveBack(first);
  const second = lend(256 * KiB);
  assert.ok(same(second, first));
  assert.ok(!same(lend(256 * KiB), first));
  assert.notEqual(lend(300 * KiB).length, second.length);
});

test('bytes that were not lent, or lent for another purpose, stay whose they are', () => {
  const own = Buffer.alloc(512 * KiB);
  giveBack(own);
  sent(own);
  const received = lend(512 * KiB);
  sent(received);
  assert.ok(!same(lendUntilSent(512 * KiB), received));
  assert.ok(!same(lend(512 * KiB), own));
  const travelling = lendUntilSent(768 * KiB);
  giveBack(travelling);
  assert.ok(!same(lend(768 * KiB), travelling));
  sent(travelling);
  assert.ok(same(lend(768 * KiB), travelling));
});

test.run();

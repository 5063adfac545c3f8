import assert from 'node:assert/strict';
import sinon from 'sinon';
import { Guesses, MOST_GUESSES } from '../../src/security/guesses.ts';
import { suite } from '../kit/suite.ts';

const test = suite('security/guesses');

test('wrong passwords count for a user and an address, whatever the port, and for a minute', () => {
  const clock = sinon.useFakeTimers({ toFake: ['performance'] });
  try {
    const guesses = new Guesses();
    for (let port = 1; port <= MOST_GUESSES; port++) {
      assert.ok(guesses.from(`10.0.0.1:${port}`).mayTry('ada'));
      guesses.from(`10.0.0.1:${port}`).wrong('ada');
    }
    assert.equal(guesses.from('10.0.0.1:99').mayTry('ada'), false);
    assert.ok(guesses.from('10.0.0.1:99').mayTry('bob'));
    assert.ok(guesses.from('10.0.0.2:99').mayTry('ada'));
    assert.ok(guesses.from('::1:99').mayTry('ada'));
    clock.tick(59_000);
    assert.equal(guesses.from('10.0.0.1:99').mayTry('ada'), false);
    clock.tick(1_000);
    assert.ok(guesses.from('10.0.0.1:99').mayTry('ada'));
  } finally {
    clock.restore();
  }
});

test('names that are made up do not fill the memory', () => {
  const guesses = new Guesses();
  const from = guesses.from('10.0.0.1:1');
  for (let i = 0; i < MOST_GUESSES; i++) from.wrong('first');
  for (let i = 0; i < 10_000; i++) from.wrong(`user ${i}`);
  // The oldest made room.
  assert.ok(from.mayTry('first'));
});

test.run();

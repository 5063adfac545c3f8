import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import sinon from 'sinon';
import { serve } from '../../src/index.ts';
import {
  newNonce,
  newToken,
  type ProofInput,
  proof,
  sameProof,
  tokenKey,
} from '../../src/security/auth.ts';
import { suite } from '../kit/suite.ts';

const test = suite('security/auth');

const INPUT: ProofInput = {
  clientNonce: 'c',
  serverNonce: 's',
  session: 'f',
  lane: 'main',
  received: 0,
};
const key = tokenKey('a token of some length');

test('a proof is worth something for its own role, nonces, session, lane and token only', () => {
  const mine = proof(key, 'client', INPUT);
  const others = [
    proof(key, 'server', INPUT),
    proof(key, 'client', { ...INPUT, clientNonce: 'd' }),
    proof(key, 'client', { ...INPUT, serverNonce: 't' }),
    proof(key, 'client', { ...INPUT, session: 'e' }),
    proof(key, 'client', { ...INPUT, lane: 'sync' }),
    proof(key, 'client', { ...INPUT, received: 1 }),
    proof(tokenKey('a token of some lengtH'), 'client', INPUT),
    proof(tokenKey('a token of some length '), 'client', INPUT),
    // Fields are kept apart: what moves from one to the next makes another proof.
    proof(key, 'client', { ...INPUT, clientNonce: 'cs', serverNonce: '' }),
  ];
  assert.equal(new Set([mine, ...others]).size, 1 + others.length);
  assert.equal(proof(key, 'client', { ...INPUT }), mine);
});

test('proofs are compared whole, in constant time', () => {
  const compare = sinon.spy(crypto, 'timingSafeEqual');
  syncBuiltinESMExports();
  try {
    const mine = proof(key, 'client', INPUT);
    for (const [other, same] of [
      [mine, true],
      ['', false],
      [mine.slice(0, -1), false],
      [`${mine}x`, false],
      ['x'.repeat(100_000), false],
    ] as const)
      assert.equal(sameProof(mine, other), same);
    assert.equal(compare.callCount, 5, 'whatever the lengths are');
    for (const { args } of compare.getCalls()) {
      const [a, b] = args as [Buffer, Buffer];
      assert.deepEqual([a.length, b.length], [32, 32]);
    }
  } finally {
    compare.restore();
    syncBuiltinESMExports();
  }
});

test('tokens and nonces are random and long enough', () => {
  const made = Array.from({ length: 100 }, () => [newToken(), newNonce()]).flat();
  assert.equal(new Set(made).size, 200);
  assert.match(newToken(), /^[\w-]{43}$/);
  assert.match(newNonce(), /^[\w-]{32}$/);
});

test('what is kept of a token is not the token', () => {
  assert.equal(key.length, 32);
  assert.ok(!key.toString('latin1').includes('token'));
});

test('a token of 15 characters is refused, one of 16 is taken', async () => {
  await assert.rejects(serve({ token: 'x'.repeat(15) }), { code: 'ERR_ELSEWHERE_ARGUMENT' });
  await assert.rejects(serve({ token: '' }), { code: 'ERR_ELSEWHERE_ARGUMENT' });
  const server = await serve({ token: 'x'.repeat(16) });
  await server.close();
});

test.run();

/** Blocking calls in the pair in memory: they work where the far side can answer at once. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import { type ConnectionPair, connectPair, withRemote } from '../../src/index.ts';
import { suite } from '../kit/suite.ts';

const test = suite('connection/memory-link');
let pair: ConnectionPair;
let folder: string;
const far = <R>(fn: () => R): R => withRemote(pair.near, { except: ['stdio'], cwd: folder }, fn);

test.before(async () => {
  folder = fs.mkdtempSync(`${os.tmpdir()}/elsewhere-memory-`);
  pair = await connectPair();
});
test.after(async () => {
  await pair.near.close();
  await pair.far.close();
  fs.rmSync(folder, { recursive: true });
});

test('what the far side answers at once is there', () => {
  far(() => {
    fs.writeFileSync('file', 'text');
    assert.equal(fs.readFileSync('file', 'utf8'), 'text');
    assert.equal(fs.statSync('file').size, 4);
    assert.throws(() => fs.readFileSync('nowhere'), { code: 'ENOENT', path: 'nowhere' });
    assert.equal(os.hostname(), pair.near.peer.hostname);
  });
});

test('what needs the event loop is a deadlock, said at once; the next call is not harmed', async () => {
  for (let i = 0; i < 3; i++) {
    assert.throws(() => pair.near.channel.requestSync('classic.eval', [[null, '1 + 1']]), {
      code: 'ERR_ELSEWHERE_SYNC_DEADLOCK',
      message: /use the asynchronous form/,
    });
    // The late answer of the call before must not be taken for this one's.
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(
      far(() => fs.readFileSync('file', 'utf8')),
      'text',
    );
  }
  assert.equal(await pair.near.eval('1 + 1'), 2);
});

test('after close it says so', async () => {
  const other = await connectPair();
  withRemote(other.near, { except: ['stdio'] }, () => fs.statSync('/'));
  await other.near.close();
  assert.throws(() => withRemote(other.near, () => fs.statSync('/')), {
    code: 'ERR_ELSEWHERE_CLOSED',
  });
  await other.far.close();
});

test.run();

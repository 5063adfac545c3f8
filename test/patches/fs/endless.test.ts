/** Row D4 of the attack list, files: an agent that gives a file without end, or more of it than it said there is. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { promisify } from 'node:util';
import { patches } from '../../../patches/index.ts';
import { type Connection, withRemote } from '../../../src/index.ts';
import { connectPairWith } from '../../../src/service/pair.ts';
import { suite } from '../../kit/suite.ts';

const test = suite('patches/fs/endless');

/** A connection to an agent whose files say that they have `size` bytes, and come as `next` gives them. */
async function attacked(
  size: bigint,
  next: () => readonly [Uint8Array, boolean],
  use: (near: Connection) => Promise<void>,
): Promise<void> {
  const stats = new BigInt64Array(18);
  stats[1] = 0o100644n;
  stats[8] = size;
  const calls = { readFile: () => [undefined, [1, stats]], drain: next, discard: () => undefined };
  const hostile = patches.map((patch) =>
    patch.name === 'fs' ? { ...patch, remote: () => ({ calls }) } : patch,
  );
  const { near, far } = await connectPairWith(hostile);
  await use(near);
  await near.close();
  await far.close();
}

const readFile = promisify(fs.readFile) as (
  path: string,
  options?: 'utf8' | { readonly signal: AbortSignal },
) => Promise<string | Buffer>;
const READS: Readonly<Record<string, () => unknown>> = {
  readFile: () => readFile('/x'),
  'readFile as text': () => readFile('/x', 'utf8'),
  'readFileSync as text': () => fs.readFileSync('/x', 'utf8'),
};

test('a file in tiny pieces without end is given up', async () => {
  for (const [name, read] of Object.entries(READS)) {
    let asked = 0;
    const next = (): readonly [Uint8Array, boolean] => {
      asked++;
      return [Buffer.from('x'), false];
    };
    await attacked(0n, next, async (near) => {
      await assert.rejects(
        withRemote(near, async () => read()),
        { code: 'ERR_ELSEWHERE_LIMIT', message: /1000 pieces/ },
        name,
      );
      assert.equal(asked, 1001, name);
      assert.equal(near.state, 'up', 'one file is no reason to end all');
    });
  }
});

test('no more of a file is taken than it said there is', async () => {
  for (const [name, read] of Object.entries(READS)) {
    let asked = 0;
    const next = (): readonly [Uint8Array, boolean] => {
      asked++;
      return [Buffer.alloc(65_536, 'x'), false];
    };
    await attacked(100_000n, next, async (near) => {
      const content = (await withRemote(near, async () => read())) as string | Buffer;
      assert.equal(content.length, 100_000, name);
      assert.equal(asked, 2, name);
    });
  }
});

test('a signal ends the reading of a file that never ends', async ({ skip }) => {
  const isNew = Number.parseInt(process.versions.node, 10) >= 26;
  if (isNew) skip('this Node does not stop its readFile of an endless local file either');
  const stop = new AbortController();
  let asked = 0;
  const next = (): readonly [Uint8Array, boolean] => {
    if (++asked === 3) stop.abort();
    return [Buffer.alloc(65_536), false];
  };
  await attacked(0n, next, async (near) => {
    await assert.rejects(
      withRemote(near, () => readFile('/x', { signal: stop.signal })),
      { name: 'AbortError' },
    );
    assert.equal(asked, 3);
  });
});

test.run();

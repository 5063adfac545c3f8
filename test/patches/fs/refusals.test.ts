/** What the far system refuses (rights, room, numbers of open files) is told as the agent's own Node would tell it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { connect, withRemote } from '../../../src/index.ts';
import { startAgent } from '../../kit/agent.ts';
import { suite } from '../../kit/suite.ts';
import { refusals } from './refused-calls.ts';

const test = suite('patches/fs/refusals', { limit: 30_000 });

const isRoot = process.getuid?.() === 0;
const works = (program: string, ...args: string[]): boolean =>
  spawnSync(program, args, { stdio: 'ignore' }).status === 0;

const CALLS = fileURLToPath(new URL('./refused-calls.js', import.meta.url));

interface Scene {
  readonly name: string;
  /** Commands of a shell, in the agent's folder and before it. */
  readonly set?: string;
  /** A program and its arguments in front of all. */
  readonly prefix?: readonly string[];
  /** Where the agent's user is another one. */
  readonly asUser?: boolean;
}

/** The folder is that of the agent alone, and of the scope. */
async function compared({ name, set = ':', prefix = [], asUser }: Scene): Promise<string> {
  const drop = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
  const agent = await startAgent({
    prefix: [...prefix, 'sh', '-ec', `${set}; exec "$@"`, 'sh', ...(asUser === true ? drop : [])],
  });
  const connection = await connect(agent.url);
  try {
    const there = (await connection.import(CALLS)) as { refusals: typeof refusals };
    const expected = await there.refusals(name, agent.folder);
    const actual = await withRemote(connection, { stdio: 'local' }, () =>
      refusals(name, agent.folder),
    );
    assert.deepStrictEqual(differing(actual, expected), []);
    return JSON.stringify(expected);
  } finally {
    await connection.close();
    await agent.stop();
  }
}

/** Only the calls that differ: the lists are long. */
function differing(actual: unknown, expected: unknown): unknown[] {
  if (!Array.isArray(actual) || !Array.isArray(expected) || actual.length !== expected.length)
    return isDeepStrictEqual(actual, expected) ? [] : [{ actual, expected }];
  return actual.flatMap((item, index) =>
    isDeepStrictEqual(item, expected[index]) ? [] : [{ actual: item, expected: expected[index] }],
  );
}

const FILES = 'echo content > mine; mkdir folder; echo in > folder/in; chmod 755 .';

if (isRoot && works('setpriv', '--version')) {
  test('EACCES and EPERM: the agent may do what its user may', async () => {
    const set = `${FILES}; mkdir -m 700 secret; echo x > secret/file; echo x > public; chmod 644 public`;
    const seen = await compared({ name: 'EACCES', set, asUser: true });
    assert.match(seen, /EACCES.*EPERM/);
  });
}

/** A mount namespace of the agent's own. */
const mounts = isRoot && works('unshare', '-m', 'sh', '-c', 'mount -t tmpfs none /mnt');
if (mounts) {
  const prefix = ['unshare', '-m'];

  test('ENOSPC: the far disk is full', async () => {
    const set = `${FILES}; head -c 2000000 /dev/zero > large; mkdir full; mount -t tmpfs -o size=1m none full`;
    assert.match(await compared({ name: 'ENOSPC', set, prefix }), /ENOSPC.*there is room again/);
  });

  test('EROFS: the far file system is read only', async () => {
    const set = `${FILES}; mkdir -p ro/folder; echo x > ro/file; mount --bind ro ro; mount -o remount,ro,bind ro`;
    assert.match(await compared({ name: 'EROFS', set, prefix }), /EROFS/);
  });

  test('EXDEV: two file systems of the far side', async () => {
    const set = `${FILES}; mkdir other; mount -t tmpfs none other`;
    assert.match(await compared({ name: 'EXDEV', set, prefix }), /EXDEV/);
  });
}

test('EMFILE: the far side has no more descriptors', async () => {
  const set = `${FILES}; ulimit -n 64`;
  assert.match(await compared({ name: 'EMFILE', set }), /EMFILE.*content/);
});

test.run();

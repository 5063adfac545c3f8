/** What the far system refuses (rights, room, numbers of open files) arrives as it would have arrived there. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { connect, withRemote } from '../../../src/index.ts';
import { startAgent, type TestAgent } from '../../kit/agent.ts';
import { suite } from '../../kit/suite.ts';
import { outcome } from '../../kit/twice.ts';

const test = suite('patches/fs/refusals');

const isRoot = process.getuid?.() === 0;
const has = (program: string): boolean =>
  spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0;

async function withAgent(
  prefix: readonly string[],
  body: (agent: TestAgent) => Promise<void>,
): Promise<void> {
  const agent = await startAgent({ prefix });
  const connection = await connect(agent.url);
  try {
    await withRemote(connection, { stdio: 'local' }, () => body(agent));
  } finally {
    await connection.close();
    await agent.stop();
  }
}

/** Of a promise form, field by field. */
async function failure(call: () => Promise<unknown>): Promise<Record<string, unknown>> {
  const error = (await outcome(call)) as NodeJS.ErrnoException & { dest?: string };
  assert.ok(error instanceof Error, 'it fails');
  const { code, errno, syscall, path, dest, message } = error;
  return { code, errno, syscall, path, dest, message };
}

const refused = (
  code: string,
  errno: number,
  text: string,
  syscall: string,
  path?: string,
): Record<string, unknown> => ({
  code,
  errno,
  syscall,
  path,
  dest: undefined,
  message: `${code}: ${text}, ${syscall}${path === undefined ? '' : ` '${path}'`}`,
});

const another = isRoot && has('setpriv');
if (another) {
  test('EACCES: the agent may do what its user may', () =>
    withAgent(['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'], async (agent) => {
      const denied = (syscall: string, path: string): Record<string, unknown> =>
        refused('EACCES', -13, 'permission denied', syscall, path);
      const secret = `${agent.folder}/secret`;
      // The folder is root's alone, and of mode 0700.
      const { promises } = fs;
      assert.deepEqual(await failure(() => promises.readFile(secret)), denied('open', secret));
      assert.deepEqual(await failure(() => promises.writeFile(secret, '')), denied('open', secret));
      assert.deepEqual(await failure(() => promises.stat(secret)), denied('stat', secret));
      assert.deepEqual(await failure(() => promises.mkdir(secret)), denied('mkdir', secret));
      assert.deepEqual(await failure(() => promises.access(secret)), denied('access', secret));
      const { folder } = agent;
      assert.deepEqual(await failure(() => promises.readdir(folder)), denied('scandir', folder));
      assert.equal(fs.existsSync(secret), false);
    }));
}

/** A mount namespace of the agent's own, with a file system of 1 MiB and one that is read only. */
const MOUNTS = 'mount -t tmpfs -o size=1m none "$PWD" && exec "$@"';
const mounts =
  isRoot &&
  spawnSync('unshare', ['-m', 'sh', '-c', 'mount -t tmpfs none /mnt'], { stdio: 'ignore' })
    .status === 0;
if (mounts) {
  test('ENOSPC: the far disk is full', () =>
    withAgent(['unshare', '-m', 'sh', '-c', `${MOUNTS}`, 'sh'], async (agent) => {
      const path = `${agent.folder}/full`;
      const full = refused('ENOSPC', -28, 'no space left on device', 'write');
      const bytes = Buffer.alloc(2 * 1024 * 1024);
      assert.deepEqual(await failure(() => fs.promises.writeFile(path, bytes)), full);
      const handle = await fs.promises.open(path, 'w');
      // A write that finds some room is a short one; the next has none.
      while ((await outcome(() => handle.write(bytes, 0, 65_536))) instanceof Error === false);
      assert.deepEqual(await failure(() => handle.write(bytes, 0, 65_536)), full);
      await handle.close();
      const stream = fs.createWriteStream(path);
      const error = await new Promise<NodeJS.ErrnoException>((resolve) => {
        stream.on('error', resolve).end(bytes);
      });
      assert.equal(error.code, 'ENOSPC');
      fs.unlinkSync(path);
      fs.writeFileSync(path, 'there is room again');
    }));

  test('EROFS: the far file system is read only', () =>
    withAgent(
      ['unshare', '-m', 'sh', '-c', 'mount -t tmpfs -o ro none /mnt && exec "$@"', 'sh'],
      async () => {
        const readOnly = (syscall: string): Record<string, unknown> =>
          refused('EROFS', -30, 'read-only file system', syscall, '/mnt/x');
        assert.deepEqual(await failure(() => fs.promises.mkdir('/mnt/x')), readOnly('mkdir'));
        assert.deepEqual(
          await failure(() => fs.promises.writeFile('/mnt/x', '')),
          readOnly('open'),
        );
      },
    ));
}

test('EMFILE: the far side has no more descriptors', () =>
  withAgent(['sh', '-c', 'ulimit -n 64; exec "$@"', 'sh'], async () => {
    fs.writeFileSync('f', 'x');
    const open: number[] = [];
    const error = await failure(async () => {
      for (;;) open.push(fs.openSync('f', 'r+'));
    });
    assert.deepEqual(error, refused('EMFILE', -24, 'too many open files', 'open', 'f'));
    assert.ok(open.length > 10, `${open.length} were opened`);
    for (const descriptor of open) fs.closeSync(descriptor);
    assert.equal(fs.readFileSync('f', 'utf8'), 'x');
  }));

test.run();

/** Descriptors of far files: numbers apart from the kernel's, bound to their connection, closed with its session. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { type Connection, connect, withLocal, withRemote } from '../../../src/index.ts';
import { startAgent, type TestAgent } from '../../kit/agent.ts';
import { outcome, outcomeSync } from '../../kit/outcome.ts';
import { suite } from '../../kit/suite.ts';

const test = suite('patches/fs/descriptors');
let agent: TestAgent;
let other: TestAgent;
let connection: Connection;
let second: Connection;
test.before(async () => {
  [agent, other] = await Promise.all([startAgent(), startAgent()]);
  [connection, second] = await Promise.all([connect(agent.url), connect(other.url)]);
  fs.writeFileSync(`${agent.folder}/f`, 'first agent');
  fs.writeFileSync(`${other.folder}/f`, 'second agent');
});
test.after(async () => {
  await Promise.all([connection.close(), second.close()]);
  await Promise.all([agent.stop(), other.stop()]);
});

/** What the agent has open below its own folder. */
function openThere({ process: { pid }, folder }: TestAgent): string[] {
  return fs.readdirSync(`/proc/${pid}/fd`).flatMap((name) => {
    const path = outcomeSync(() => fs.readlinkSync(`/proc/${pid}/fd/${name}`));
    return typeof path === 'string' && path.startsWith(`${folder}/`)
      ? [path.slice(folder.length + 1)]
      : [];
  });
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}

test('far and local descriptors are never equal, and each goes to its own file in any scope', () => {
  const local = fs.openSync(process.execPath, 'r');
  const far = withRemote(connection, () => fs.openSync('f', 'r'));
  const farther = withRemote(second, () => fs.openSync('f', 'r'));
  assert.equal(new Set([local, far, farther]).size, 3);
  assert.ok(far > 1_000_000 && local < 1_000_000);
  const elf = Buffer.alloc(4);
  const read = (): unknown[] => [
    fs.readFileSync(far, 'utf8'),
    fs.readFileSync(farther, 'utf8'),
    fs.readSync(local, elf, 0, 4, 0),
  ];
  assert.deepEqual(withRemote(second, read), ['first agent', 'second agent', 4]);
  assert.equal(elf.toString('latin1'), '\x7fELF');
  assert.equal(
    withRemote(connection, () => fs.fstatSync(local).size),
    fs.fstatSync(local).size,
  );
  withLocal(() => assert.equal(fs.fstatSync(far).size, 11));
  withRemote(second, () => fs.closeSync(far));
  fs.closeSync(farther);
  withRemote(connection, () => fs.closeSync(local));
});

test('a closed number is EBADF everywhere, and is used again', async () => {
  const far = withRemote(connection, () => fs.openSync('f', 'r'));
  fs.closeSync(far);
  for (const call of [
    () => fs.fstatSync(far),
    () => fs.readSync(far, Buffer.alloc(1)),
    () => fs.closeSync(far),
    () => withRemote(connection, () => fs.fstatSync(far)),
  ])
    assert.throws(call, { code: 'EBADF' });
  const error = await new Promise((resolve) => fs.fstat(far, resolve));
  assert.equal((error as NodeJS.ErrnoException).code, 'EBADF');
  const again = withRemote(connection, () => fs.openSync('f', 'r'));
  assert.equal(again, far);
  fs.closeSync(again);
});

test('what the program closes is closed on the agent', async () => {
  const handle = await withRemote(connection, () => fs.promises.open('f', 'r+'));
  const far = withRemote(connection, () => fs.openSync('f', 'r'));
  const directory = withRemote(connection, () => fs.opendirSync('.'));
  assert.deepEqual(openThere(agent), ['f', 'f']);
  fs.closeSync(far);
  await handle.close();
  directory.closeSync();
  await until(() => openThere(agent).length === 0);
});

test('reading and writing whole files, also failing ones, leaves nothing open there', async () => {
  await withRemote(connection, async () => {
    fs.writeFileSync('large', Buffer.alloc(9_000_000));
    fs.readFileSync('large');
    fs.readFileSync('large', 'latin1');
    await fs.promises.readFile('large');
    await new Promise((resolve) => fs.readFile('large', resolve));
    fs.copyFileSync('large', 'copy');
    await outcome(() => fs.promises.readFile('.'));
    await outcome(() => fs.promises.writeFile('/proc/self/status', 'x'));
    for await (const _ of fs.createReadStream('large')) break;
  });
  await until(() => openThere(agent).length === 0);
});

test('the end of a session closes its files on the agent, and no others', async () => {
  const leaving = await connect(agent.url);
  const staying = withRemote(connection, () => fs.openSync('f', 'r+'));
  await withRemote(leaving, async () => {
    fs.openSync('f', 'w+');
    await fs.promises.open('g', 'w');
    fs.opendirSync('.');
    fs.watch('.').unref();
  });
  assert.deepEqual(openThere(agent).sort(), ['f', 'f', 'g']);
  await leaving.close();
  await until(() => openThere(agent).length === 1);
  fs.writeSync(staying, 'still');
  fs.closeSync(staying);
});

test('a lost connection is EIO for what was open, with the reason as cause, and ours for paths', async () => {
  const doomed = await startAgent();
  const lost = await connect(doomed.url);
  const opened = await withRemote(lost, async () => {
    fs.writeFileSync('f', 'x');
    const handle = await fs.promises.open('f', 'r+');
    return {
      far: fs.openSync('f', 'r+'),
      handle,
      scope: (fn: () => unknown) => withRemote(lost, fn),
    };
  });
  const pending = outcome(() => opened.handle.read(Buffer.alloc(1)));
  await pending;
  await doomed.stop('SIGKILL');
  await lost.closed;
  const cause = (error: unknown): unknown =>
    ((error as Error).cause as { code?: unknown } | undefined)?.code;
  const syncError = outcomeSync(() => fs.fstatSync(opened.far));
  const errors = [
    syncError,
    outcomeSync(() => fs.readSync(opened.far, Buffer.alloc(1))),
    await outcome(() => opened.handle.stat()),
    await new Promise((resolve) => fs.write(opened.far, 'x', resolve)),
  ];
  for (const error of errors) {
    assert.equal((error as NodeJS.ErrnoException).code, 'EIO');
    assert.match(String(cause(error)), /^ERR_ELSEWHERE_/);
  }
  const byPath = opened.scope(() => outcomeSync(() => fs.statSync('f')));
  assert.match(String((byPath as NodeJS.ErrnoException).code), /^ERR_ELSEWHERE_/);
});

test('a handle cannot be sent to another thread, where its number means nothing', async () => {
  const handle = await withRemote(connection, () => fs.promises.open('f', 'r'));
  const { port1, port2 } = new MessageChannel();
  assert.throws(() => port1.postMessage(handle, [handle as never]), { name: 'DataCloneError' });
  port1.close();
  port2.close();
});

test.run();

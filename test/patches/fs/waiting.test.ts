/** Files that may have to wait: named pipes and terminals. However many wait, everybody's other files do not. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs, { promises } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { connect, withRemote } from '../../../src/index.ts';
import { startAgent } from '../../kit/agent.ts';
import { suite } from '../../kit/suite.ts';
import { Twice } from '../../kit/twice.ts';

const test = suite('fs/waiting', { limit: 30_000, fileLimit: 60_000 });
/** More than the thread pool has threads. */
const MANY = 6;
let twice: Twice;

test.before(async () => {
  twice = await Twice.start();
});
test.after(() => twice.stop());

const names = (kind: string): string[] => Array.from({ length: MANY }, (_, i) => `${kind}-${i}`);

test('pipes that wait hold up neither the files of others nor the end of the agent', async () => {
  const agent = await startAgent();
  const path = (name: string): string => join(agent.folder, name);
  execFileSync('mkfifo', [...names('unread'), ...names('silent'), ...names('lost')].map(path));
  const large = Buffer.alloc(1 << 20, 'x');
  fs.writeFileSync(path('large'), large);
  const waiter = await connect(agent.url);
  const other = await connect(agent.url);
  const options = { stdio: 'local' } as const;
  const found = withRemote(waiter, options, () => ({
    writers: names('unread').map((name) => promises.open(name, 'w')),
    readers: names('silent').map((name) => promises.readFile(name, 'utf8')),
  }));
  for (const name of names('lost'))
    withRemote(waiter, options, () => promises.readFile(name)).catch(() => undefined);
  // Their other ends are open, and give nothing.
  const silent = await Promise.all(names('silent').map((name) => promises.open(path(name), 'w')));
  const read = await withRemote(other, options, () => promises.readFile('large'));
  assert.ok(read.equals(large));
  await Promise.all(silent.map((file, i) => file.write(`said ${i}`).then(() => file.close())));
  assert.deepEqual(
    await Promise.all(found.readers),
    names('silent').map((_, i) => `said ${i}`),
  );
  const reading = names('unread').map((name) => promises.readFile(path(name), 'utf8'));
  for (const [i, opened] of found.writers.entries()) {
    const file = await opened;
    await file.write(`written ${i}`);
    await file.close();
  }
  assert.deepEqual(
    await Promise.all(reading),
    names('unread').map((_, i) => `written ${i}`),
  );
  await Promise.all([waiter.close(), other.close()]);
  await agent.stop();
  assert.equal(agent.process.exitCode, 0);
});

const shell = (root: string, command: string) =>
  once(spawn('sh', ['-c', command], { cwd: root, stdio: 'ignore' }), 'close');

test('reading and writing pipes is as it is here', async () => {
  const bodies: readonly ((root: string) => Promise<unknown>)[] = [
    async (root) => {
      const writer = shell(root, 'printf hello > pipe');
      return [await promises.readFile('pipe', 'utf8'), await writer];
    },
    async (root) => {
      const writer = shell(root, '(printf abc; sleep 0.1; printf defg) > pipe');
      return [await text(fs.createReadStream('pipe')), await writer];
    },
    async (root) => {
      const writer = shell(root, 'exec 3> pipe; sleep 0.1; printf late >&3');
      const file = await promises.open('pipe');
      const first = await file.read(Buffer.alloc(9), 0, 9, null);
      const at = await file.read(Buffer.alloc(9), 0, 9, 3).catch((error) => error);
      const last = await file.read(Buffer.alloc(9), 0, 9, null);
      await file.close();
      return [first, at, last, await writer];
    },
    async (root) => {
      const reader = shell(root, 'sleep 0.1; cat pipe > copy');
      await promises.writeFile('pipe', Buffer.alloc(300_000, 'y'));
      return [await reader, fs.statSync('copy').size];
    },
    async (root) => {
      const reader = shell(root, 'head -c 10 pipe > copy');
      const failed = await promises.writeFile('pipe', Buffer.alloc(300_000, 'z')).catch((e) => e);
      return [failed, await reader, fs.statSync('copy').size];
    },
    async () => fs.writeSync(fs.openSync('pipe', 'r+'), 'both ends'),
    async () => fs.openSync('pipe', fs.constants.O_WRONLY | fs.constants.O_NONBLOCK),
    async () => {
      const file = fs.openSync('pipe', fs.constants.O_RDWR | fs.constants.O_NONBLOCK);
      return fs.readSync(file, Buffer.alloc(1));
    },
    async () => {
      const [to, from] = [fs.openSync('pipe', 'r+'), fs.openSync('pipe', 'r')];
      const child = spawn('head', ['-n', '1'], { stdio: [from, 'pipe', 'inherit'] });
      setTimeout(() => fs.writeSync(to, 'for the child\n'), 100);
      return text(child.stdout as NodeJS.ReadableStream);
    },
  ];
  for (const body of bodies)
    await twice.same((root) => {
      execFileSync('mkfifo', ['pipe']);
      return body(root);
    });
});

test.run();

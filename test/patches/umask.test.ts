/** A mask of the scope's own: for all that it makes on the far side, and for nobody else. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { type Connection, captureStdio, connect, withRemote } from '../../src/index.ts';
import { startAgent, type TestAgent } from '../kit/agent.ts';
import { suite } from '../kit/suite.ts';

const test = suite('patches/umask', { limit: 20_000 });
let agent: TestAgent;
let conn: Connection;

test.before(async () => {
  agent = await startAgent({ listen: `unix:/tmp/elsewhere-umask-${process.pid}.sock` });
  conn = await connect(agent.url);
});
test.after(async () => {
  await conn.close();
  await agent.stop();
});

const modeOf = (name: string): string =>
  (fs.statSync(join(agent.folder, name)).mode & 0o7777).toString(8);

test('what a scope makes has its mask, in every way of making it', async () => {
  await withRemote(conn, async () => {
    const before = process.umask(0o027);
    assert.equal(process.umask(), 0o027);
    fs.writeFileSync('sync', 'x');
    fs.writeFileSync('sync-bytes', Buffer.from('x'), { mode: 0o777 });
    await fs.promises.writeFile('promised', 'x');
    await new Promise((resolve) => fs.appendFile('callback', 'x', resolve));
    fs.closeSync(fs.openSync('opened', 'wx', 0o606));
    await once(fs.createWriteStream('streamed').end('x'), 'close');
    fs.mkdirSync('plain');
    fs.mkdirSync('deep/down/here', { recursive: true });
    await fs.promises.mkdir('promised-directory', 0o707);
    execFileSync('touch', ['by-child']);
    const server = net.createServer().listen('socket');
    await once(server, 'listening');
    server.close();
    const [first] = await captureStdio(async () => [process.umask()]).then(({ value }) => value);
    assert.equal(first, 0o027, 'an inner scope begins with it');
    assert.equal(process.umask(before), 0o027);
    fs.writeFileSync('after', 'x');
  });
  const umask = process.umask();
  const usual = (mode: number): string => (mode & ~umask).toString(8);
  const made = [
    ['sync', 'sync-bytes', 'promised', 'callback', 'opened', 'streamed', 'by-child'],
    ['plain', 'deep', 'deep/down', 'deep/down/here', 'promised-directory'],
  ].map((names) => names.map(modeOf));
  assert.deepEqual(made, [
    ['640', '750', '640', '640', '600', '640', '640'],
    ['750', '750', '750', '750', '700'],
  ]);
  assert.equal(modeOf('after'), usual(0o666));
});

test('a wider mask than the agent’s; other scopes keep theirs; what is there keeps its bits', () => {
  fs.writeFileSync(join(agent.folder, 'there'), 'x', { mode: 0o604 });
  fs.symlinkSync('target', join(agent.folder, 'link'));
  withRemote(conn, () => {
    process.umask('0');
    fs.writeFileSync('wide', 'x', { mode: 0o777 });
    fs.writeFileSync('there', 'y');
    fs.truncateSync('there', 1);
    fs.closeSync(fs.openSync('there', 'r', 0o600));
    fs.writeFileSync('link', 'z');
    assert.throws(() => fs.writeFileSync('there', 'x', { flag: 'wx' }), { code: 'EEXIST' });
    assert.throws(() => process.umask('x'), { code: 'ERR_INVALID_ARG_VALUE' });
    assert.throws(() => process.umask(-1), { code: 'ERR_OUT_OF_RANGE' });
  });
  assert.equal(modeOf('wide'), '777');
  assert.equal(modeOf('there'), '604');
  assert.equal(fs.readFileSync(join(agent.folder, 'target'), 'utf8'), 'z');
  withRemote(conn, () => {
    assert.notEqual(process.umask(), 0);
    fs.writeFileSync('usual', 'x', { mode: 0o777 });
  });
  assert.equal(modeOf('usual'), (0o777 & ~process.umask()).toString(8));
});

test('a pipe that waits for its other end keeps nobody waiting, with a mask and without', async () => {
  const fifo = join(agent.folder, 'fifo');
  execFileSync('mkfifo', [fifo]);
  await withRemote(conn, async () => {
    for (const mask of [undefined, 0o027]) {
      if (mask !== undefined) process.umask(mask);
      const writer = fs.promises.open(fifo, 'w');
      assert.equal(await fs.promises.readFile('sync', 'utf8'), 'x');
      const reader = await fs.promises.open(fifo, 'r');
      await (await writer).close();
      await reader.close();
    }
  });
});

test.run();

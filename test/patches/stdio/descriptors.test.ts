/** In a scope the numbers 0, 1 and 2 are its standard streams, for the functions of `fs` too. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { PassThrough, Writable } from 'node:stream';
import { promisify } from 'node:util';
import {
  type Connection,
  captureStdio,
  connect,
  withLocal,
  withRemote,
} from '../../../src/index.ts';
import { startAgent, type TestAgent } from '../../kit/agent.ts';
import { suite } from '../../kit/suite.ts';

const test = suite('patches/stdio/descriptors', { limit: 20_000 });
let agent: TestAgent;
let conn: Connection;

test.before(async () => {
  agent = await startAgent({ stdin: 'pipe' });
  conn = await connect(agent.url);
});
test.after(async () => {
  await conn.close();
  await agent.stop();
});

test('writes to 1 and 2 arrive there, in order with what is written to the streams', async () => {
  await withRemote(conn, async () => {
    for (let i = 0; i < 30; i++) {
      process.stdout.write(`stream ${i}\n`);
      if (i % 3 === 0) fs.writeSync(1, `sync ${i}\n`);
      if (i % 5 === 0) await promisify(fs.write)(1, Buffer.from(`later ${i}\n`));
      if (i % 7 === 0) fs.writevSync(1, [Buffer.from('vec'), Buffer.from(`tor ${i}\n`)]);
    }
    fs.writeFileSync(1, 'whole\n');
    fs.writeSync(2, 'to 2\n');
  });
  const expected = Array.from({ length: 30 }, (_, i) => [
    `stream ${i}\n`,
    i % 3 === 0 ? `sync ${i}\n` : '',
    i % 5 === 0 ? `later ${i}\n` : '',
    i % 7 === 0 ? `vector ${i}\n` : '',
  ]);
  while (!agent.stdout().endsWith('whole\n'))
    await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(agent.stdout(), `${expected.flat().join('')}whole\n`);
  assert.ok(agent.stderr().endsWith('\nto 2\n'));
});

test('reads of 0 wait for what comes there', async () => {
  agent.process.stdin?.write('first second');
  await withRemote(conn, async () => {
    const buffer = Buffer.alloc(6);
    assert.equal(fs.readSync(0, buffer), 6);
    assert.equal(String(buffer), 'first ');
    const { bytesRead } = await promisify(fs.read)(0, { buffer });
    assert.equal(String(buffer.subarray(0, bytesRead)), 'second');
    assert.equal(fs.fstatSync(0).isFile(), false);
    assert.equal(fs.fstatSync(1).ino, fs.fstatSync(1, { bigint: false }).ino);
    setTimeout(() => agent.process.stdin?.end('the rest'), 50);
    assert.equal(String(await promisify(fs.readFile)(0)), 'the rest');
    assert.equal(fs.readFileSync(0, 'utf8'), '');
    assert.equal(fs.readFileSync(0).length, 0);
  });
});

test('captures, streams of the scope’s own, both sides, and this process’s', async () => {
  const { stdout, stderr } = await captureStdio(async () => {
    fs.writeSync(1, 'captured ');
    await promisify(fs.write)(2, 'error');
    withRemote(conn, { stdio: 'local' }, () => fs.writeSync(1, 'inside'));
  });
  assert.deepEqual([stdout, stderr], ['captured inside', 'error']);
  const chunks: string[] = [];
  const sink = new Writable({
    write: (chunk, _encoding, done) => {
      chunks.push(String(chunk));
      done();
    },
  });
  const source = new PassThrough();
  source.end('from the stream');
  await withRemote(conn, { stdio: { stdout: sink, stdin: source } }, async () => {
    fs.writeSync(1, 'own');
    assert.equal(String(await promisify(fs.readFile)(0)), 'from the stream');
    assert.ok(fs.fstatSync(1).isFIFO());
    const nothing = new PassThrough();
    withRemote(conn, { stdio: { stdin: nothing } }, () => {
      assert.throws(() => fs.readSync(0, Buffer.alloc(1)), { code: 'EAGAIN', syscall: 'read' });
    });
    assert.equal(
      withLocal(() => fs.fstatSync(1).ino),
      outside,
    );
  });
  assert.deepEqual(chunks, ['own']);
});
const outside = fs.fstatSync(1).ino;

test('what makes no sense for them is refused as Node refuses it', () => {
  withRemote(conn, () => {
    assert.throws(() => fs.readSync(1, Buffer.alloc(1)), { code: 'EBADF', syscall: 'read' });
    assert.throws(() => fs.writeSync(0, 'x'), { code: 'EBADF', syscall: 'write' });
    assert.throws(() => fs.ftruncateSync(1), { code: 'EINVAL', syscall: 'ftruncate' });
    assert.throws(() => fs.fsyncSync(1), { code: 'EINVAL' });
    assert.throws(() => fs.closeSync(1), { code: 'ERR_ELSEWHERE_UNSUPPORTED' });
  });
});

test.run();

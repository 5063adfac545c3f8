/** Large far files: whole ones byte for byte, positions beyond 4 GiB, and Node's own limit. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Connection, connect, withLocal, withRemote } from '../../../src/index.ts';
import { startAgent, type TestAgent } from '../../kit/agent.ts';
import { suite } from '../../kit/suite.ts';

const test = suite('patches/fs/large', { limit: 30_000 });
const MiB = 2 ** 20;
const GiB = 2 ** 30;
let agent: TestAgent;
let connection: Connection;
let data: Buffer;
test.before(async () => {
  agent = await startAgent();
  connection = await connect(agent.url);
  // Not a multiple of any piece that is sent at once.
  data = Buffer.concat([randomBytes(8 * MiB + 1), Buffer.alloc(56 * MiB, 'elsewhere')]);
  for (let at = 0; at + 4 < data.length; at += MiB) data.writeUInt32LE(at, at);
});
test.after(async () => {
  await connection.close();
  await agent.stop();
});

const hash = (bytes: Uint8Array): string => createHash('sha1').update(bytes).digest('hex');
const there = (name: string): string =>
  withLocal(() => hash(fs.readFileSync(`${agent.folder}/${name}`)));

test('64 MiB are written as they are: blocking, promise, stream', () =>
  withRemote(connection, async () => {
    const expected = hash(data);
    fs.writeFileSync('sync', data);
    assert.equal(there('sync'), expected);
    await fs.promises.writeFile('promise', data);
    assert.equal(there('promise'), expected);
    await pipeline(Readable.from([data]), fs.createWriteStream('stream'));
    assert.equal(there('stream'), expected);
  }));

test('64 MiB are read as they are: blocking, promise, callback, stream', () =>
  withRemote(connection, async () => {
    const expected = hash(data);
    assert.equal(hash(fs.readFileSync('sync')), expected);
    assert.equal(hash(await fs.promises.readFile('sync')), expected);
    const called = await new Promise<Buffer>((resolve, reject) =>
      fs.readFile('sync', (error, bytes) => (error === null ? resolve(bytes) : reject(error))),
    );
    assert.equal(hash(called), expected);
    const hashing = createHash('sha1');
    await pipeline(fs.createReadStream('sync'), hashing);
    assert.equal(hashing.digest('hex'), expected);
  }));

test('what was read stays as it is while much else is read and written', () =>
  withRemote(connection, async () => {
    const sizes = [300 * 1024, 512 * 1024, MiB, 9 * MiB];
    const contents = sizes.map((size) => randomBytes(size));
    contents.forEach((bytes, i) => void fs.writeFileSync(`kept-${i}`, bytes));
    const kept: Buffer[] = [];
    const readAll = async (i: number): Promise<void> => {
      const file = `kept-${i}`;
      kept.push(fs.readFileSync(file), await fs.promises.readFile(file));
      kept.push(
        await new Promise<Buffer>((resolve, reject) =>
          fs.readFile(file, (error, bytes) => (error === null ? resolve(bytes) : reject(error))),
        ),
      );
      const handle = await fs.promises.open(file);
      kept.push((await handle.read(Buffer.alloc(sizes[i] as number))).buffer);
      await handle.close();
    };
    const expected = contents.flatMap((bytes) => Array(4).fill(hash(bytes)));
    for (let i = 0; i < sizes.length; i++) await readAll(i);
    // What was read is written, so that it is on its way itself; then the same sizes again.
    await Promise.all(kept.map((bytes, i) => fs.promises.writeFile(`again-${i}`, bytes)));
    for (let i = 0; i < sizes.length; i++) await readAll(i);
    await fs.promises.readFile('sync');
    assert.deepEqual(kept.map(hash), [...expected, ...expected]);
    assert.deepEqual(
      expected.map((_, i) => there(`again-${i}`)),
      expected,
    );
  }));

test('beyond 2 GiB a whole file is Node’s ERR_FS_FILE_TOO_LARGE', () =>
  withRemote(connection, async () => {
    fs.writeFileSync('sparse', '');
    fs.truncateSync('sparse', 2 * GiB);
    const expected = { name: 'RangeError', code: 'ERR_FS_FILE_TOO_LARGE' };
    assert.throws(() => fs.readFileSync('sparse'), expected);
    await assert.rejects(fs.promises.readFile('sparse'), expected);
    await assert.rejects(
      new Promise((_resolve, reject) => fs.readFile('sparse', reject)),
      expected,
    );
  }));

test('positions and streams beyond 4 GiB', () =>
  withRemote(connection, async () => {
    const at = 5 * GiB + 3;
    const descriptor = fs.openSync('sparse', 'r+');
    assert.equal(fs.writeSync(descriptor, 'beyond', at), 6);
    const into = Buffer.alloc(8);
    assert.equal(fs.readSync(descriptor, into, 0, 8, at - 2), 8);
    assert.equal(into.toString('latin1'), '\0\0beyond');
    assert.equal(fs.readSync(descriptor, into, 0, 8, BigInt(at) + 3n), 3);
    assert.equal(fs.fstatSync(descriptor).size, at + 6);
    fs.ftruncateSync(descriptor, 6 * GiB);
    assert.equal(fs.fstatSync(descriptor, { bigint: true }).size, 6n * BigInt(GiB));
    fs.closeSync(descriptor);
    const chunks: Buffer[] = [];
    for await (const chunk of fs.createReadStream('sparse', { start: at, end: at + 5 }))
      chunks.push(chunk as Buffer);
    assert.equal(Buffer.concat(chunks).toString(), 'beyond');
    await pipeline(
      Readable.from(['stream']),
      fs.createWriteStream('sparse', { flags: 'r+', start: at + 10 }),
    );
    const handle = await fs.promises.open('sparse');
    const { buffer } = await handle.read(Buffer.alloc(16), 0, 16, at);
    await handle.close();
    assert.equal(buffer.toString('latin1'), 'beyond\0\0\0\0stream');
  }));

test.run();

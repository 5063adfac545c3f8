/** Reading and writing far files gives what local files give: flags, positions, pieces, streams, handles. */
import assert from 'node:assert/strict';
import { type EventEmitter, once } from 'node:events';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { withRemote } from '../../../src/index.ts';
import { outcome, outcomeSync } from '../../kit/outcome.ts';
import { suite } from '../../kit/suite.ts';
import { Twice } from '../../kit/twice.ts';

const test = suite('patches/fs/files');
let twice: Twice;
test.before(async () => {
  twice = await Twice.start();
});
test.after(() => twice.stop());

const bytes = (length: number): Buffer =>
  Buffer.from(Array.from({ length }, (_, index) => (index * 7) % 251));

test('whole files: empty, small, across the limits of pieces', () =>
  twice.same(async () => {
    const results: unknown[] = [];
    for (const size of [0, 1, 65_535, 65_536, 65_537, 300_000, 1_100_000]) {
      const data = bytes(size);
      fs.writeFileSync('s', data);
      await fs.promises.writeFile('p', data);
      await new Promise((resolve) => fs.writeFile('c', data, resolve));
      for (const name of ['s', 'p', 'c']) {
        const sync = fs.readFileSync(name);
        const promise = await fs.promises.readFile(name);
        const callback = await new Promise((resolve) => fs.readFile(name, (_e, d) => resolve(d)));
        results.push(sync.equals(data), promise, callback, fs.readFileSync(name, 'latin1').length);
      }
    }
    return results;
  }));

test('flags and modes', () =>
  twice.same(async () => {
    const results: unknown[] = [];
    for (const flag of ['r', 'r+', 'w', 'w+', 'a', 'a+', 'wx', 'ax', 'rs+', 'as']) {
      fs.writeFileSync('f', 'before');
      const opened = outcomeSync(() => fs.openSync('f', flag));
      if (typeof opened !== 'number') {
        results.push([flag, opened]);
        continue;
      }
      const wrote = outcomeSync(() => fs.writeSync(opened, 'XY'));
      const into = Buffer.alloc(10);
      const read = outcomeSync(() => fs.readSync(opened, into, 0, 10, 0));
      fs.closeSync(opened);
      results.push([flag, wrote, read, into, fs.readFileSync('f', 'utf8')]);
    }
    for (const mode of [0o600, 0o644, '755', 0o444]) {
      fs.rmSync('m', { force: true });
      fs.writeFileSync('m', '', { mode });
      results.push(fs.statSync('m').mode);
    }
    fs.chmodSync('m', 0o700);
    results.push(fs.statSync('m').mode);
    fs.writeFileSync('f', 'new', { flag: 'a' });
    await fs.promises.appendFile('f', Buffer.from('er'));
    return [...results, fs.readFileSync('f', 'utf8')];
  }));

test('positions: given, current, beyond the end, as bigint', () =>
  twice.same(async () => {
    fs.writeFileSync('f', '0123456789');
    const descriptor = fs.openSync('f', 'r+');
    const results: unknown[] = [];
    const read = (length: number, position: number | bigint | null): void => {
      const into = Buffer.alloc(length);
      results.push([fs.readSync(descriptor, into, 0, length, position), into]);
    };
    read(3, null);
    read(3, 7);
    read(3, null);
    read(2, 1n);
    read(4, 100);
    fs.writeSync(descriptor, 'AB', 0);
    fs.writeSync(descriptor, 'CD');
    fs.writeSync(descriptor, Buffer.from('xEFx'), 1, 2, 12);
    read(20, 0);
    read(20, null);
    fs.ftruncateSync(descriptor, 5);
    results.push(fs.fstatSync(descriptor).size, fs.readFileSync(descriptor, 'utf8'));
    fs.closeSync(descriptor);
    fs.truncateSync('f', 8);
    return [...results, fs.readFileSync('f')];
  }));

test('several buffers at once', () =>
  twice.same(async () => {
    const descriptor = fs.openSync('f', 'w+');
    const written = fs.writevSync(descriptor, [Buffer.from('abc'), new Uint8Array([100, 101])]);
    const later = await new Promise((resolve) =>
      fs.writev(descriptor, [Buffer.from('fg'), Buffer.from('h')], 5, (error, count) =>
        resolve([error, count]),
      ),
    );
    const into = [Buffer.alloc(2), Buffer.alloc(0), new Uint8Array(4), Buffer.alloc(9)];
    const read = fs.readvSync(descriptor, into, 0);
    const handle = await fs.promises.open('f');
    const own = await handle.readv([Buffer.alloc(3), Buffer.alloc(3)], 1);
    await handle.close();
    fs.closeSync(descriptor);
    return [written, later, read, into, own.bytesRead, own.buffers];
  }));

test('what is read is what was last written, however it is asked for', () =>
  twice.same(async () => {
    fs.writeFileSync('f', 'one');
    const descriptor = fs.openSync('f', 'r');
    const handle = await fs.promises.open('f');
    const results: unknown[] = [];
    fs.writeFileSync('f', 'second');
    results.push(fs.fstatSync(descriptor).size, fs.readFileSync(descriptor, 'utf8'));
    results.push((await handle.stat()).size);
    await fs.promises.appendFile('f', '+');
    results.push(await handle.readFile('utf8'));
    fs.renameSync('f', 'g');
    fs.writeFileSync('f', 'other');
    results.push(fs.fstatSync(descriptor).size);
    fs.unlinkSync('g');
    const into = Buffer.alloc(9);
    results.push(fs.readSync(descriptor, into, 0, 9, 0), into);
    fs.closeSync(descriptor);
    await handle.close();
    return results;
  }));

test('read streams: ranges, high water marks, encodings, errors', () =>
  twice.same(async () => {
    fs.writeFileSync('f', bytes(200_000));
    const gather = async (stream: fs.ReadStream): Promise<unknown> => {
      const events: string[] = [];
      for (const name of ['open', 'ready', 'end', 'close'])
        stream.on(name, () => events.push(name));
      const sizes: number[] = [];
      const chunks: Buffer[] = [];
      const error = await outcome(async () => {
        for await (const chunk of stream) {
          sizes.push((chunk as Buffer).length);
          chunks.push(Buffer.from(chunk as Buffer));
        }
      });
      if (!stream.closed) await once(stream, 'close');
      return [error, sizes, Buffer.concat(chunks), events, stream.bytesRead, stream.destroyed];
    };
    const { createReadStream: open } = fs;
    return [
      await gather(open('f')),
      await gather(open('f', { start: 10, end: 70_000 })),
      await gather(open('f', { start: 199_990 })),
      await gather(open('f', { highWaterMark: 50_000 })),
      await gather(open('f', { start: 300_000 })),
      await gather(open('f', { encoding: 'hex', end: 99 })),
      await gather(open('none')),
      await gather(open('.')),
    ];
  }));

test('write streams: order, flags, start, back-pressure, errors', () =>
  twice.same(async () => {
    const results: unknown[] = [];
    const stream = fs.createWriteStream('f', { highWaterMark: 1000 });
    const room: boolean[] = [];
    for (let round = 0; round < 5; round++) {
      room.push(stream.write(bytes(700)));
      if (!room.at(-1)) await once(stream, 'drain');
    }
    stream.end('end');
    await once(stream, 'close');
    results.push(room, stream.bytesWritten, fs.readFileSync('f'));
    await pipeline(Readable.from(['a', 'b', 'c']), fs.createWriteStream('f', { flags: 'a' }));
    await pipeline(Readable.from(['XY']), fs.createWriteStream('f', { flags: 'r+', start: 3 }));
    results.push(fs.readFileSync('f'));
    results.push(await outcome(() => pipeline(['x'], fs.createWriteStream('none/f'))));
    results.push(await outcome(() => pipeline(['x'], fs.createWriteStream('.'))));
    await pipeline(fs.createReadStream('f'), fs.createWriteStream('copy'));
    return [...results, fs.readFileSync('copy').equals(fs.readFileSync('f'))];
  }));

test('FileHandle: all its methods, streams, lines, closing', () =>
  twice.same(async () => {
    const results: unknown[] = [];
    const handle = await fs.promises.open('f', 'w+', 0o600);
    results.push(await handle.write('line 1\nline 2\n'));
    results.push((await handle.write(Buffer.from('line 3'), 0, 6, 14)).bytesWritten);
    results.push((await handle.writev([Buffer.from('!')], 20)).bytesWritten);
    results.push(await handle.read(Buffer.alloc(6), 0, 6, 7));
    results.push((await handle.stat()).size, await handle.chmod(0o640), await handle.sync());
    results.push(await handle.datasync(), await handle.utimes(5, 6), await handle.truncate(20));
    await handle.close();
    results.push(await outcome(() => handle.read(Buffer.alloc(1))), handle.fd);
    const lines: string[] = [];
    const reading = await fs.promises.open('f');
    for await (const line of reading.readLines()) lines.push(line);
    results.push(lines, await outcome(() => reading.close()));
    const streaming = await fs.promises.open('f');
    const closed = once(streaming as unknown as EventEmitter, 'close').then(() => 'closed');
    const chunks: Buffer[] = [];
    for await (const chunk of streaming.createReadStream({ start: 5, end: 8 }))
      chunks.push(chunk as Buffer);
    results.push(Buffer.concat(chunks), await closed);
    const web = await fs.promises.open('f');
    const parts: Uint8Array[] = [];
    for await (const part of web.readableWebStream())
      parts.push(new Uint8Array(part as ArrayBuffer));
    results.push(Buffer.concat(parts));
    await web.close();
    const writing = await fs.promises.open('g', 'w');
    await pipeline(['one', 'two'], writing.createWriteStream());
    return [...results, fs.readFileSync('g', 'utf8')];
  }));

test('copies between the two machines pass through, with their modes', async () => {
  const { folder } = twice.agent;
  const here = fs.mkdtempSync('/tmp/elsewhere-copy-');
  fs.writeFileSync(`${here}/f`, bytes(100_000), { mode: 0o640 });
  withRemote(twice.connection, { paths: { local: [`${here}/**`] } }, () => {
    fs.copyFileSync(`${here}/f`, 'came');
    fs.copyFileSync('came', `${here}/back`);
    assert.throws(() => fs.renameSync(`${here}/f`, 'moved'), { code: 'EXDEV', syscall: 'rename' });
    assert.throws(() => fs.linkSync('came', `${here}/linked`), { code: 'EXDEV', syscall: 'link' });
    assert.throws(() => fs.copyFileSync('came', `${here}/f`, fs.constants.COPYFILE_EXCL), {
      code: 'EEXIST',
    });
  });
  assert.deepEqual(fs.readFileSync(`${folder}/came`), bytes(100_000));
  assert.deepEqual(fs.readFileSync(`${here}/back`), bytes(100_000));
  assert.equal(fs.statSync(`${folder}/came`).mode & 0o777, 0o640);
  fs.rmSync(here, { recursive: true });
});

/** Node 26 has made its job before we see it. */
async function orRefused(done: Promise<unknown>): Promise<void> {
  try {
    await done;
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, 'ERR_ELSEWHERE_UNSUPPORTED');
    assert.match(process.version, /^v26/);
  }
}

test('relative paths that stay here start in the scope’s directory too, not in this process’s', async () => {
  const folder = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), 'elsewhere-place-')));
  const rules = { cwd: folder, paths: { local: [`${folder}/here/**`, `${folder}/here`] } };
  try {
    await withRemote(twice.connection, { ...rules, stdio: 'local' }, async () => {
      fs.mkdirSync('here/deep', { recursive: true });
      fs.writeFileSync('here/sync', 'a');
      await fs.promises.writeFile('here/promise', 'b');
      assert.equal(await fs.promises.readFile('here/promise', 'utf8'), 'b');
      await orRefused(promisify(fs.writeFile)('here/deep/called', 'c'));
      await orRefused(promisify(fs.readFile)('here/promise'));
      fs.renameSync('here/sync', 'here/deep/renamed');
      fs.symlinkSync('deep', 'here/link');
      fs.copyFileSync('here/promise', 'came');
      fs.copyFileSync(Buffer.from('came'), 'here/back');
      assert.equal(fs.readFileSync('here/link/renamed', 'utf8'), 'a');
      assert.deepEqual(fs.readdirSync('here').sort(), ['back', 'deep', 'link', 'promise']);
      const opened = [
        fs.opendirSync('here'),
        await promisify(fs.opendir)('here'),
        await fs.promises.opendir('here', {}),
      ];
      for (const directory of opened) {
        const names: string[] = [];
        for await (const { name } of directory) names.push(name);
        assert.deepEqual(names.sort(), ['back', 'deep', 'link', 'promise']);
      }
    });
    assert.deepEqual(fs.readdirSync(folder).sort(), ['came', 'here']);
    assert.deepEqual(
      fs.readdirSync(join(folder, 'here/deep')).filter((name) => name !== 'called'),
      ['renamed'],
    );
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
});

test.run();

/** What far files answer is what local ones answer: classes, encodings, kinds of paths, order. */
import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import fs from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { withRemote } from '../../../src/index.ts';
import { outcome, outcomeSync } from '../../kit/outcome.ts';
import { suite } from '../../kit/suite.ts';
import { Twice } from '../../kit/twice.ts';

const test = suite('patches/fs/values');
let twice: Twice;
test.before(async () => {
  twice = await Twice.start();
});
test.after(() => twice.stop());

const later = <T>(start: (done: (error: unknown, value?: T) => void) => void): Promise<T> =>
  new Promise((resolve, reject) =>
    start((error, value) => (error === null ? resolve(value as T) : reject(error))),
  );

test('stats of a file, a directory and a link, as numbers and as bigints', () =>
  twice.same(async () => {
    fs.writeFileSync('f', 'content', { mode: 0o640 });
    fs.mkdirSync('d', 0o750);
    fs.symlinkSync('f', 'l');
    const descriptor = fs.openSync('f', 'r');
    const big = { bigint: true } as const;
    const results = [
      ...['f', 'd', 'l'].flatMap((path) => [fs.statSync(path), fs.lstatSync(path, big)]),
      fs.fstatSync(descriptor),
      fs.fstatSync(descriptor, big),
      await later((done) => fs.stat('l', done)),
      await fs.promises.lstat('l'),
      fs.statSync('none', { throwIfNoEntry: false }),
      fs.lstatSync('f/x', { throwIfNoEntry: false }),
    ];
    fs.closeSync(descriptor);
    return results;
  }));

test('times that were set, also before 1970 and in parts of a second', () =>
  twice.same(async () => {
    fs.writeFileSync('f', '');
    const seen: unknown[] = [];
    const look = (): void => {
      const { atimeMs, mtimeMs, mtime } = fs.statSync('f');
      seen.push(atimeMs, mtimeMs, mtime.toISOString(), fs.statSync('f', { bigint: true }).mtimeNs);
    };
    fs.utimesSync('f', 1, 2.5);
    look();
    await fs.promises.utimes('f', new Date(86_400_000), new Date(-1250));
    look();
    fs.lutimesSync('f', 1_700_000_000, 1_700_000_000.75);
    look();
    return seen;
  }));

test('a blob of a file: every way to its content, until the file changes', () =>
  twice.same(async () => {
    const content = 'content '.repeat(20_000);
    fs.writeFileSync('f', content);
    const blob = await fs.openAsBlob('f', { type: 'text/plain' });
    const part = blob.slice(3, 10, 'a/b');
    const joined = new Blob(['<', part, '>']);
    const streamed: Uint8Array[] = [];
    for await (const chunk of blob.stream()) streamed.push(chunk as Uint8Array);
    const before = [
      [blob.size, blob.type, part.size, part.type, blob instanceof Blob],
      [await part.text(), Buffer.from(await blob.arrayBuffer()).toString() === content],
      [await joined.text(), Buffer.concat(streamed).toString() === content],
    ];
    const reader = blob.stream().getReader();
    await reader.read();
    fs.writeFileSync('f', 'other');
    const name = (read: Promise<unknown>): Promise<unknown> =>
      read.then(
        () => 'read',
        (error: unknown) => [(error as Error).name, error instanceof DOMException],
      );
    const rest = async (): Promise<void> => {
      while (!(await reader.read()).done);
    };
    const after = [
      await name(blob.text()),
      await name(part.arrayBuffer()),
      await name(blob.stream().getReader().read()),
      await name(rest()),
      outcomeSync(() => structuredClone(blob)),
    ];
    return [before, after];
  }));

test('what a blob was asked for before its file changed is answered', () =>
  twice.same(async () => {
    fs.writeFileSync('f', '');
    const blob = await fs.openAsBlob('f');
    const asked = blob.text();
    fs.writeFileSync('f', 'other');
    return [await asked, await blob.text().catch(({ name }) => name)];
  }));

test('a signal that is aborted in the turn after the call stops readFile of a handle', () =>
  twice.same(async () => {
    fs.writeFileSync('f', 'content '.repeat(2000));
    const handle = await fs.promises.open('f');
    const controller = new AbortController();
    setImmediate(() => controller.abort());
    const read = await handle.readFile({ signal: controller.signal }).catch(({ name }) => name);
    await handle.close();
    return read;
  }));

test('file systems', () =>
  twice.same(async () => {
    const { type, bsize } = fs.statfsSync('.');
    const big = await fs.promises.statfs('.', { bigint: true });
    return [type, bsize, big.type, Object.keys(big), big.constructor.name];
  }));

test('entries of directories: classes, types, encodings', () =>
  twice.same(async () => {
    fs.writeFileSync('f', '');
    fs.mkdirSync('d');
    fs.symlinkSync('f', 'l');
    fs.writeFileSync('ünï', '');
    const entries = fs.readdirSync('.', { withFileTypes: true });
    const kinds = entries.map((entry) => [
      entry.name,
      entry.isFile(),
      entry.isDirectory(),
      entry.isSymbolicLink(),
    ]);
    return [
      entries,
      kinds,
      await later((done) => fs.readdir('.', { withFileTypes: true }, done)),
      await fs.promises.readdir('.', 'buffer'),
      fs.readdirSync(Buffer.from('.'), { encoding: 'hex' as BufferEncoding }),
      fs.readdirSync('d'),
      fs.readlinkSync('l', 'base64'),
      fs.readlinkSync('l', 'buffer'),
    ];
  }));

test('names that are no UTF-8', () =>
  twice.same((root) => {
    const name = Buffer.from([0x66, 0xff, 0xfe, 0x67]);
    const path = Buffer.concat([Buffer.from(`${root}/`), name]);
    fs.writeFileSync(path, 'x');
    fs.symlinkSync(name, 'l');
    const opened = fs.opendirSync('.', { encoding: 'buffer' as BufferEncoding });
    const found = [opened.readSync()?.name, opened.readSync()?.name];
    opened.closeSync();
    return [
      fs.readFileSync(path, 'utf8'),
      fs.readdirSync('.', 'buffer').sort(Buffer.compare),
      fs.readlinkSync('l', 'buffer'),
      fs.readFileSync(name, 'utf8'),
      found.map((item) => (item as unknown as Buffer).length).sort(),
      outcomeSync(() => fs.statSync(Buffer.from([0xff]))),
    ];
  }));

test('relative paths, chdir, URLs, buffers, and the working directory of resolving', () =>
  twice.same(async (root) => {
    fs.mkdirSync('d/deep', { recursive: true });
    process.chdir('d');
    const cwd = process.cwd();
    fs.writeFileSync('f', '1');
    await fs.promises.writeFile('../g', '2');
    const results = [
      cwd,
      fs.realpathSync('deep'),
      fs.realpathSync.native('.'),
      await fs.promises.realpath('../d/./deep'),
      fs.readFileSync(pathToFileURL('f'), 'utf8'),
      fs.readFileSync(Buffer.from('../g'), 'utf8'),
      fs.readFileSync(join(root, 'd/f'), 'latin1'),
      fs.existsSync('deep'),
      fs.existsSync('none'),
      fs.mkdirSync('a/b/c', { recursive: true }),
      fs.mkdirSync('a/b/c', { recursive: true }),
      await fs.promises.mkdir('../x/y', { recursive: true }),
      outcomeSync(() => process.chdir('none')),
    ];
    process.chdir(root);
    return results;
  }));

test('temporary directories', () =>
  twice.same(async (root) => {
    const made = [
      fs.mkdtempSync('t-'),
      await fs.promises.mkdtemp(join(root, 'u-')),
      await later<string>((done) => fs.mkdtemp('v-', done)),
      fs.mkdtempSync('w-', 'buffer'),
    ];
    return made.map((name) => [
      fs.statSync(name).isDirectory(),
      String(name)
        .replace(root, '')
        .replace(/[^-]{6}$/, 'XXXXXX'),
      Buffer.isBuffer(name),
    ]);
  }));

test('text and bytes in every encoding', () =>
  twice.same(async () => {
    fs.writeFileSync('f', Buffer.from([0xef, 0xbb, 0xbf, 0x61, 0xff, 0xc3, 0xa4, 0]));
    const encodings = ['utf8', 'latin1', 'hex', 'base64', 'base64url', 'utf16le', 'ascii'] as const;
    const results: unknown[] = [fs.readFileSync('f')];
    for (const encoding of encodings) {
      results.push(
        fs.readFileSync('f', encoding),
        await fs.promises.readFile('f', { encoding }),
        await later((done) => fs.readFile('f', encoding, done)),
      );
      fs.writeFileSync(`w-${encoding}`, '616263', encoding);
      results.push(fs.readFileSync(`w-${encoding}`));
    }
    return results;
  }));

test('a FileHandle and a Dir are of Node’s classes', async () => {
  const here = await fs.promises.open(process.execPath);
  const FileHandle = here.constructor;
  await here.close();
  await withRemote(twice.connection, async () => {
    const handle = await fs.promises.open('.', 'r');
    assert.ok(handle instanceof FileHandle);
    await handle.close();
    for (const directory of [fs.opendirSync('.'), await fs.promises.opendir('.')]) {
      assert.ok(directory instanceof fs.Dir);
      await directory.close();
    }
  });
});

test('callbacks, ticks and microtasks come in Node’s order', () =>
  twice.same(async () => {
    fs.writeFileSync('f', '');
    const order: string[] = [];
    await new Promise<void>((resolve) => {
      fs.stat('f', () => {
        order.push('callback');
        process.nextTick(() => order.push('tick'));
        queueMicrotask(() => order.push('microtask'));
        setImmediate(() => order.push('immediate'));
        fs.stat('f', () => {
          order.push('second');
          setImmediate(resolve);
        });
      });
      order.push('after the call');
    });
    return order.filter((step) => step !== 'immediate');
  }));

test('answers that come in one packet are callbacks in turns of their own', () =>
  withRemote(twice.connection, async () => {
    const order: string[] = [];
    const call = (number: number): Promise<void> =>
      new Promise((resolve) => {
        fs.stat('.', () => {
          order.push(`callback ${number}`);
          process.nextTick(() => order.push(`tick ${number}`));
          queueMicrotask(() => order.push(`microtask ${number}`));
          setImmediate(resolve);
        });
      });
    await Promise.all([1, 2, 3].map(call));
    assert.deepEqual(
      order,
      [1, 2, 3].flatMap((number) => [
        `callback ${number}`,
        `tick ${number}`,
        `microtask ${number}`,
      ]),
    );
  }));

test('a callback that throws is an uncaught exception, and the next one still comes', () =>
  twice.same(async () => {
    const caught: string[] = [];
    const catching = (error: Error): void => void caught.push(error.message);
    const before = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException').on('uncaughtException', catching);
    try {
      fs.stat('.', () => {
        throw new Error('mine');
      });
      await new Promise((resolve) => fs.stat('.', resolve));
      await new Promise((resolve) => setImmediate(resolve));
    } finally {
      process.removeListener('uncaughtException', catching);
      for (const listener of before) process.on('uncaughtException', listener);
    }
    return caught;
  }));

test('the program’s own AsyncLocalStorage is kept', () =>
  twice.same(async () => {
    const storage = new AsyncLocalStorage<number>();
    const seen: unknown[] = [];
    await Promise.all(
      [1, 2, 3].map((number) =>
        storage.run(number, async () => {
          await fs.promises.stat('.');
          seen.push([number, storage.getStore()]);
          await new Promise<void>((resolve) =>
            fs.readdir('.', () => {
              seen.push([number, storage.getStore()]);
              resolve();
            }),
          );
        }),
      ),
    );
    return seen.every((pair) => (pair as number[])[0] === (pair as number[])[1]);
  }));

test('a signal aborts', () =>
  twice.same(async () => {
    fs.writeFileSync('f', 'x');
    const aborted = AbortSignal.abort();
    const controller = new AbortController();
    const results = [
      await outcome(() => fs.promises.readFile('f', { signal: aborted })),
      await outcome(() => fs.promises.writeFile('g', 'x', { signal: aborted })),
      await outcome(() => later((done) => fs.readFile('f', { signal: aborted }, done))),
      fs.existsSync('g'),
    ];
    const pending = outcome(() => fs.promises.readFile('f', { signal: controller.signal }));
    controller.abort();
    results.push(await pending);
    return results;
  }));

test.run();

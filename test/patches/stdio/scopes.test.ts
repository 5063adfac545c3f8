import assert from 'node:assert/strict';
import { execSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline/promises';
import { PassThrough, Readable, Writable } from 'node:stream';
import {
  bindScope,
  type Connection,
  captureStdio,
  connect,
  redirectStdio,
  uninstall,
  withLocal,
  withRemote,
} from '../../../src/index.ts';
import { elsewhere, startAgent, type TestAgent } from '../../kit/agent.ts';
import { suite } from '../../kit/suite.ts';

const test = suite('patches/stdio/scopes', { limit: 30_000, fileLimit: 120_000 });
let agent: TestAgent;
let conn: Connection;
let other: TestAgent;
let otherConn: Connection;

test.before(async () => {
  agent = await startAgent({ stdin: 'pipe' });
  conn = await connect(agent.url);
  other = await startAgent();
  otherConn = await connect(other.url);
});
test.after(async () => {
  await Promise.all([conn.close(), otherConn.close()]);
  await Promise.all([agent.stop(), other.stop()]);
});

const TEED = `for (let i = 0; i < 3000; i++) console.log('line', i); process.exitCode = 3`;
const TEED_OUTPUT = Array.from({ length: 3000 }, (_, i) => `line ${i}\n`).join('');

/** A stream that keeps what is written. */
function held(): Writable & { text(): string } {
  const chunks: Buffer[] = [];
  const write = (chunk: Buffer, _encoding: string, done: () => void): void => {
    chunks.push(chunk);
    done();
  };
  return Object.assign(new Writable({ write }), { text: () => String(Buffer.concat(chunks)) });
}

/** Waits until `read` gives more than it did, by the expected text; returns what came. */
async function arrives(read: () => string, from: number, expected: string): Promise<void> {
  const end = Date.now() + 5000;
  while (read().length - from < expected.length && Date.now() < end)
    await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(read().slice(from), expected);
}

test('console and streams of a scope are the far side’s, by whatever way one has them', async () => {
  const [out, err] = [agent.stdout().length, agent.stderr().length];
  const { log } = console;
  const { stdout } = process;
  withRemote(conn, () => {
    console.log('by console', { a: 1 });
    log('by a reference taken before');
    stdout.write('by a stream taken before\n');
    process.stdout.write('by process\n');
    console.table([{ x: 1 }]);
    console.error('to stderr');
    console.warn('%d%%', 5);
  });
  const table =
    '┌─────────┬───┐\n│ (index) │ x │\n├─────────┼───┤\n│ 0       │ 1 │\n└─────────┴───┘\n';
  await arrives(
    agent.stdout,
    out,
    `by console { a: 1 }\nby a reference taken before\nby a stream taken before\nby process\n${table}`,
  );
  await arrives(agent.stderr, err, 'to stderr\n5%\n');
});

test('nested, local, composed, bound', async () => {
  const [first, second] = [agent.stdout().length, other.stdout().length];
  const captured = await captureStdio(() => {
    const here = withRemote(conn, { stdio: 'local' }, () =>
      bindScope(() => console.log('bound here')),
    );
    withRemote(conn, () => {
      console.log('one');
      withRemote(otherConn, () => console.log('two'));
      withRemote({ stdio: otherConn }, () => console.log('composed'));
      withRemote({ stdio: 'local' }, () => console.log('said local'));
      withRemote(otherConn, { except: ['stdio'] }, () => console.log('still one'));
      here();
    });
    console.log('captured');
  });
  await arrives(agent.stdout, first, 'one\nstill one\n');
  await arrives(other.stdout, second, 'two\ncomposed\n');
  assert.equal(captured.stdout, 'said local\nbound here\ncaptured\n');
});

test('streams of one’s own, for one descriptor or all', async () => {
  const stdout = new PassThrough().setEncoding('utf8');
  const from = agent.stderr().length;
  withRemote(conn, { stdio: { stdout } }, () => {
    console.log('mine');
    console.error('still far');
    assert.equal(process.stdout, stdout as unknown);
  });
  assert.equal(stdout.read(), 'mine\n');
  await arrives(agent.stderr, from, 'still far\n');
  const stdin = new PassThrough();
  stdin.end('typed\n');
  await withRemote(conn, { stdio: { stdin } }, async () => {
    const lines = createInterface({ input: process.stdin });
    assert.deepEqual(await once(lines, 'line'), ['typed']);
  });
});

test('concurrent scopes never mix a line', async () => {
  const lines = async (name: string): Promise<void> => {
    for (let i = 0; i < 50; i++) {
      console.log(name, i);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const [first, second] = [agent.stdout().length, other.stdout().length];
  const all = (name: string): string =>
    Array.from({ length: 50 }, (_, i) => `${name} ${i}\n`).join('');
  const [captured, again] = await Promise.all([
    captureStdio(() => lines('a')),
    captureStdio(() => lines('b')),
    withRemote(conn, () => lines('c')),
    withRemote(otherConn, () => lines('d')),
  ]);
  assert.deepEqual([captured.stdout, again.stdout], [all('a'), all('b')]);
  await arrives(agent.stdout, first, all('c'));
  await arrives(other.stdout, second, all('d'));
});

test('write: its callback comes, in order; its arguments are Node’s', async () => {
  const from = agent.stdout().length;
  const order: string[] = [];
  await withRemote(conn, async () => {
    const written = (text: string, ...rest: BufferEncoding[]): Promise<void> =>
      new Promise((resolve, reject) => {
        process.stdout.write(text, ...(rest as [BufferEncoding]), (error) => {
          order.push(text);
          if (error) reject(error);
          else resolve();
        });
      });
    await Promise.all([written('plain '), written('6865780a', 'hex')]);
    process.stdout.write(new Uint8Array([0x62, 0x0a]));
    assert.throws(() => process.stdout.write(null as never), { code: 'ERR_STREAM_NULL_VALUES' });
    assert.throws(() => process.stdout.write(1 as never), { code: 'ERR_INVALID_ARG_TYPE' });
  });
  assert.deepEqual(order, ['plain ', '6865780a']);
  await arrives(agent.stdout, from, 'plain hex\nb\n');
});

test('back-pressure: write says false, and drain follows', async () => {
  const from = agent.stdout().length;
  await withRemote(conn, async () => {
    const { stdout } = process;
    let more = true;
    let count = 0;
    while (more && count < 100) {
      more = stdout.write('x'.repeat(16_384));
      count += 1;
    }
    assert.equal(more, false);
    await once(stdout, 'drain');
    assert.equal(stdout.writableLength, 0);
    await arrives(agent.stdout, from, 'x'.repeat(count * 16_384));
  });
});

test('stdin of the far side: events, an iterator, readline; it pauses and goes on', async () => {
  const own = await startAgent({ stdin: 'pipe' });
  const ownConn = await connect(own.url);
  const lines = withRemote(ownConn, async () => {
    const seen: string[] = [];
    for await (const line of createInterface({ input: process.stdin })) seen.push(line);
    return seen;
  });
  own.process.stdin?.write('first\nsec');
  await new Promise((resolve) => setTimeout(resolve, 20));
  own.process.stdin?.end('ond\nthird');
  assert.deepEqual(await lines, ['first', 'second', 'third']);
  await ownConn.close();
  await own.stop();
});

test('what listens to them runs in the scope', async () => {
  const own = await startAgent({ stdin: 'pipe' });
  const ownConn = await connect(own.url);
  const where: Record<string, string> = {};
  await withRemote(ownConn, async () => {
    const { stdin, stdout } = process;
    const note = (event: string, done: () => void): void => {
      where[event] = process.cwd();
      done();
    };
    const read = new Promise<void>((resolve) =>
      stdin.once('data', () => note('data', resolve)).once('end', () => note('end', resolve)),
    );
    own.process.stdin?.write('x');
    await read;
    const ended = new Promise<void>((resolve) => stdin.once('end', () => note('end', resolve)));
    own.process.stdin?.end();
    await ended;
    await new Promise<void>((resolve) => stdout.write('y', () => note('written', resolve)));
    const drained = new Promise<void>((resolve) =>
      stdout.once('drain', () => note('drain', resolve)),
    );
    while (stdout.write('x'.repeat(16_384)));
    await drained;
  });
  const { folder } = own;
  assert.deepEqual(where, { data: folder, end: folder, written: folder, drain: folder });
  await ownConn.close();
  await own.stop();
});

test('what is no terminal there says so as Node does', () => {
  withRemote(conn, () => {
    const { stdout, stdin } = process;
    assert.deepEqual(
      [stdout.isTTY, stdin.isTTY, stdout.columns],
      [undefined, undefined, undefined],
    );
    assert.equal('cursorTo' in stdout && stdout.cursorTo, undefined as never);
    assert.deepEqual([stdout.fd, process.stderr.fd, stdin.fd], [1, 2, 0]);
  });
});

test('tee: there and here', async () => {
  const from = agent.stdout().length;
  const command = ['run', '--on', agent.url, '--stdio', 'tee', '--', process.execPath];
  const ended = await elsewhere([...command, '-e', TEED]);
  assert.deepEqual([ended.stdout, ended.code], [TEED_OUTPUT, 3], ended.stderr);
  await arrives(agent.stdout, from, TEED_OUTPUT);
});

test('redirectStdio: each caller gets its own, others nothing', async () => {
  const from = agent.stdout().length;
  const say = (word: string) =>
    conn.run((text: string) => {
      console.log(text);
      return new Promise((resolve) =>
        setTimeout(() => {
          process.stdout.write(`later ${text}\n`);
          resolve(text.length);
        }, 5),
      );
    }, word);
  const [a, b] = await Promise.all([
    captureStdio(() => redirectStdio(conn, () => say('a'))),
    captureStdio(() => redirectStdio(conn, () => say('bb'))),
    say('unheard'),
  ]);
  assert.deepEqual(
    [a.stdout, a.value, b.stdout, b.value],
    ['a\nlater a\n', 1, 'bb\nlater bb\n', 2],
  );
  await arrives(agent.stdout, from, 'unheard\nlater unheard\n');
});

test('redirectStdio: children of the far side too, for each caller its own', async () => {
  const from = agent.stdout().length;
  const start = (word: string) =>
    conn.run(async (text: string) => {
      const { execSync, spawn, spawnSync } = process.getBuiltinModule('node:child_process');
      const command = `read line; echo "spawned ${text} $line"; echo "error ${text}" >&2`;
      const child = spawn(command, { shell: true, stdio: 'inherit' });
      await new Promise((resolve) => child.on('close', resolve));
      execSync(`echo "blocking ${text}"`, { stdio: 'inherit' });
      spawnSync('echo', ['by number', text], { stdio: ['ignore', 1, 2] });
      return execSync(`echo "piped ${text}"`, { encoding: 'utf8' });
    }, word);
  const caller = async (word: string) => {
    const streams = { stdin: Readable.from([`told ${word}\n`]), stdout: held(), stderr: held() };
    const value = await redirectStdio(conn, () => start(word), streams);
    return [value, streams.stdout.text(), streams.stderr.text()];
  };
  const expected = (word: string) => [
    `piped ${word}\n`,
    `spawned ${word} told ${word}\nblocking ${word}\nby number ${word}\n`,
    `error ${word}\n`,
  ];
  assert.deepEqual(await Promise.all(['a', 'b'].map(caller)), ['a', 'b'].map(expected));
  assert.equal(agent.stdout().slice(from), '');
});

test('captureStdio: children that run here too', async () => {
  const { stdout, stderr } = await captureStdio(async () => {
    const child = spawn('echo out; echo err >&2', { shell: true, stdio: 'inherit' });
    await once(child, 'close');
    execSync('echo blocking', { stdio: 'inherit' });
  });
  assert.deepEqual([stdout, stderr], ['out\nblocking\n', 'err\n']);
});

test('a stream that fails is the caller’s matter, and nobody else’s', async () => {
  const broken = new Writable({ write: (_chunk, _encoding, done) => done(new Error('full')) });
  const failed = once(broken, 'error');
  withRemote(conn, { stdio: { stdout: broken } }, () => process.stdout.write('x'));
  assert.equal(((await failed)[0] as Error).message, 'full');
  const { stdout } = await captureStdio(() => console.log('fine'));
  assert.equal(stdout, 'fine\n');
});

test('uninstall gives the very streams and functions back', () => {
  const before = [process.stdout, process.stderr, console.log, Object.keys(process.stdout)];
  withRemote(conn, () => undefined);
  uninstall();
  assert.deepEqual(
    [process.stdout, process.stderr, console.log, Object.keys(process.stdout)],
    before,
  );
  withLocal(() => assert.equal(process.stdout, before[0]));
});

test.run();

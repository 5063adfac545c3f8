/** Watching far files: Node's own watchers, over events that the agent sees. */
import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import { once } from 'node:events';
import fs from 'node:fs';
import { type Connection, connect, withRemote } from '../../../src/index.ts';
import { runProgram, startAgent, type TestAgent } from '../../kit/agent.ts';
import { outcome, outcomeSync } from '../../kit/outcome.ts';
import { suite } from '../../kit/suite.ts';

const test = suite('patches/fs/watch');
let agent: TestAgent;
let connection: Connection;
const inside = <R>(fn: () => R): R => withRemote(connection, fn);
/** Changes a file on the agent's machine without asking the agent. */
const change = (name: string, text = 'x'): void =>
  fs.writeFileSync(`${agent.folder}/${name}`, text);

test.before(async () => {
  agent = await startAgent();
  connection = await connect(agent.url);
});
test.after(async () => {
  await connection.close();
  await agent.stop();
});

/** Watchers that the kernel has for the agent. */
function watchers(): number {
  const { pid } = agent.process;
  return fs
    .readdirSync(`/proc/${pid}/fdinfo`)
    .map((name) =>
      String(outcomeSync(() => fs.readFileSync(`/proc/${pid}/fdinfo/${name}`, 'utf8'))),
    )
    .join('\n')
    .split('\n')
    .filter((line) => line.startsWith('inotify wd')).length;
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}

test('fs.watch tells what happens there, in the scope and the async context of its making', async () => {
  const storage = new AsyncLocalStorage<string>();
  const seen: unknown[] = [];
  const watcher = storage.run('mine', () =>
    inside(() =>
      fs.watch('.', (event, name) => seen.push([event, name, storage.getStore(), process.cwd()])),
    ),
  );
  change('new');
  await until(() => seen.length >= 2);
  assert.deepEqual(seen.slice(0, 2), [
    ['rename', 'new', 'mine', agent.folder],
    ['change', 'new', 'mine', agent.folder],
  ]);
  const closed = once(watcher, 'close');
  watcher.close();
  await closed;
  await until(() => watchers() === 0);
  const count = seen.length;
  change('new', 'again');
  await connection.ping();
  assert.equal(seen.length, count);
});

test('names in other encodings', async () => {
  const seen: unknown[] = [];
  const open = (encoding: string): fs.FSWatcher =>
    inside(() =>
      fs.watch('.', { encoding: encoding as 'buffer' }, (_event, name) => seen.push(name)),
    );
  const all = [open('buffer'), open('hex')];
  change('ab');
  await until(() => seen.length >= 4);
  assert.ok(seen.some((name) => Buffer.isBuffer(name) && name.equals(Buffer.from('ab'))));
  assert.ok(seen.includes('6162'));
  for (const watcher of all) watcher.close();
});

test('recursive watching sees directories that come later', async () => {
  const names: unknown[] = [];
  const watcher = inside(() => {
    fs.mkdirSync('deep/er', { recursive: true });
    return fs.watch('deep', { recursive: true }, (_event, name) => names.push(name));
  });
  await until(() => watchers() > 0);
  await until(() => {
    change('deep/er/file', String(names.length));
    return names.includes('er/file');
  });
  watcher.close();
  await until(() => watchers() === 0);
});

test('errors are those of Node', async () => {
  const error = outcomeSync(() => inside(() => fs.watch('none'))) as NodeJS.ErrnoException;
  const local = outcomeSync(() => fs.watch('none')) as NodeJS.ErrnoException;
  assert.deepEqual(Object.entries(error), Object.entries(local));
  assert.equal(error.message, local.message);
  const later = await outcome(() =>
    inside(() => fs.promises.watch('none')[Symbol.asyncIterator]().next()),
  );
  assert.deepEqual(Object.entries(later as Error), Object.entries(local));
  assert.throws(() => inside(() => fs.watch('.', { encoding: 'none' as 'hex' })), {
    code: 'ERR_INVALID_ARG_VALUE',
  });
});

test('fs.promises.watch, stepped outside the scope that made it, and aborted', async () => {
  const controller = new AbortController();
  const steps = inside(() => fs.promises.watch('.', { signal: controller.signal }));
  const first = steps[Symbol.asyncIterator]().next();
  await until(() => watchers() === 1);
  change('step');
  assert.deepEqual({ ...(await first).value }, { eventType: 'rename', filename: 'step' });
  controller.abort();
  await assert.rejects(
    async () => {
      for await (const _ of steps);
    },
    { name: 'AbortError' },
  );
  await until(() => watchers() === 0);
});

test('watchFile: stats before and after, deletion, bigint, and apart from a local watcher of the same path', async () => {
  const path = `${agent.folder}/polled`;
  change('polled', 'one');
  const seen: [number, number][] = [];
  const big: unknown[] = [];
  const local: unknown[] = [];
  const listener = (now: fs.Stats, before: fs.Stats): void => {
    assert.ok(now instanceof fs.Stats);
    seen.push([now.size, before.size]);
  };
  fs.watchFile(path, { interval: 60_000, persistent: false }, () => local.push(1));
  inside(() => {
    fs.watchFile(path, { interval: 5, persistent: false }, listener);
    fs.watchFile('new', { interval: 5, bigint: true }, (now) => big.push(now.size));
  });
  // The first look is only kept, so both grow until something was told; never are they seen empty in between.
  await until(() => {
    fs.appendFileSync(path, '+');
    fs.appendFileSync(`${agent.folder}/new`, '+');
    return seen.length > 0 && big.length > 0;
  });
  assert.equal(typeof big[0], 'bigint');
  assert.ok((seen[0]?.[0] ?? 0) > (seen[0]?.[1] ?? 0));
  fs.unlinkSync(path);
  await until(() => seen.at(-1)?.[0] === 0);
  assert.deepEqual(local, []);
  inside(() => {
    fs.unwatchFile(path, listener);
    fs.unwatchFile('new');
  });
  fs.unwatchFile(path);
  await until(() => connection.stats().streams === 0);
});

test('a lost connection is an error of the watcher', async () => {
  const doomed = await startAgent();
  const lost = await connect(doomed.url);
  const watcher = withRemote(lost, () => fs.watch('.'));
  const failed = once(watcher, 'error');
  await lost.ping();
  await doomed.stop('SIGKILL');
  const [error] = (await failed) as [NodeJS.ErrnoException];
  assert.deepEqual([error.code, error.syscall], ['EIO', 'watch']);
});

test('a persistent watcher keeps the process alive, another does not', async () => {
  const program = (options: string): string => `
    import fs from 'node:fs';
    import { connect, withRemote } from ${JSON.stringify(new URL('../../../src/index.js', import.meta.url).href)};
    const connection = (await connect(${JSON.stringify(agent.url)})).unref();
    const watcher = withRemote(connection, () => fs.watch('.', ${options}));
    watcher.on('change', () => watcher.close());
    process.on('exit', () => console.log('ended'));
    console.log('watching');`;
  const run = (options: string, onStart: () => void): Promise<{ stdout: string }> =>
    runProgram(process.execPath, ['--input-type=module', '-e', program(options)], {
      onStart: (child) => child.stdout?.once('data', onStart),
    });
  let ended = false;
  const kept = run('{}', () => undefined).then(() => {
    ended = true;
  });
  const left = await run('{ persistent: false }', () => undefined);
  assert.equal(left.stdout, 'watching\nended\n');
  await until(() => watchers() === 1);
  assert.equal(ended, false);
  change('wake');
  await kept;
});

test.run();

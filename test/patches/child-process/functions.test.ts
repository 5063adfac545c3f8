/** Every function of child_process, with its options and errors: the same here and there. */
import assert from 'node:assert/strict';
import childProcess, { type ChildProcess, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { outcome, outcomeSync } from '../../kit/outcome.ts';
import { suite } from '../../kit/suite.ts';
import { Twice } from '../../kit/twice.ts';

const test = suite('patches/child-process/functions', { limit: 30_000 });

let twice: Twice;
test.before(async () => {
  twice = await Twice.start();
});
test.after(() => twice.stop());

/** All that a child said and how it ended, in the order of its events. */
async function story(
  file: string,
  args: readonly string[] = [],
  options: SpawnOptions = {},
  use: (child: ChildProcess) => void = () => undefined,
): Promise<unknown> {
  const child = childProcess.spawn(file, args, options);
  const events: unknown[] = [];
  const output = ['', '', ''];
  for (const name of ['spawn', 'error', 'exit', 'close'] as const)
    child.on(name, (...values: unknown[]) => events.push([name, ...values]));
  child.stdout?.on('data', (bytes: Buffer) => (output[1] += bytes.toString('latin1')));
  child.stderr?.on('data', (bytes: Buffer) => (output[2] += bytes.toString('latin1')));
  child.stdin?.on('error', (error) => events.push(['stdin', error]));
  const { spawnfile, spawnargs, connected } = child;
  use(child);
  if (child.pid === undefined) await new Promise((resolve) => child.once('close', resolve));
  else await once(child, 'close');
  const { exitCode, signalCode, killed } = child;
  const kinds = child.stdio.map((stream) => stream?.constructor.name ?? null);
  const real = child instanceof childProcess.ChildProcess;
  return {
    events,
    output,
    spawnfile,
    spawnargs,
    connected,
    exitCode,
    signalCode,
    killed,
    kinds,
    real,
  };
}

const sh = (script: string, options?: SpawnOptions, use?: (child: ChildProcess) => void) =>
  story('sh', ['-c', script], options, use);

test('output, exit codes and signals', async () => {
  const told = await twice.same(() => sh('echo out; echo err >&2; pwd; exit 7'));
  assert.match(JSON.stringify(told), /out.*<root>.*err/s);
  await twice.same(() => sh('kill -9 $$'));
  await twice.same(() => sh('exec sleep 60', {}, (child) => assert.equal(child.kill(), true)));
  await twice.same(() => sh('exec sleep 60', {}, (child) => child.kill('SIGKILL')));
  await twice.same(() => sh('exec sleep 60', {}, (child) => [child.kill(0), child.kill(9)]));
  await twice.same(() =>
    sh('trap "echo caught; exit 3" USR1; echo up; while :; do sleep 0.02; done', {}, (child) =>
      child.stdout?.once('data', () => child.kill('SIGUSR1')),
    ),
  );
});

test('a pipe that is another child’s stdio can be used here later', async () => {
  await twice.same(async () => {
    const last = childProcess.spawn('cat', { stdio: ['pipe', 'pipe', 'inherit'] });
    const others = [1, 2].map(() =>
      childProcess.spawn('cat', { stdio: ['pipe', last.stdin, 'inherit'] }),
    );
    const said: string[] = [];
    for (const stream of [...others.map(({ stdin }) => stdin), last.stdin]) {
      stream?.end(`${said.length}`);
      said.push(String((await once(last.stdout, 'data'))[0]));
    }
    return said;
  });
  await twice.same(async () => {
    const first = childProcess.spawn('cat', { stdio: ['pipe', 'pipe', 'inherit'] });
    const head = childProcess.spawn('head', ['-n1'], { stdio: [first.stdout, 'pipe', 'inherit'] });
    const exit = once(head, 'exit');
    first.stdin.write('hello\n');
    const said = [String((await once(head.stdout as Readable, 'data'))[0])];
    await exit;
    first.stdin.end('world\n');
    first.stdout.resume();
    said.push(String((await once(first.stdout, 'data'))[0]));
    return said;
  });
});

test('input reaches the child, and its end too', async () => {
  await twice.same(() => story('cat', [], {}, (child) => child.stdin?.end('to and fro')));
  await twice.same(() =>
    story('wc', ['-c'], {}, (child) => {
      for (let at = 0; at < 50; at++) child.stdin?.write(Buffer.alloc(20_000, at));
      child.stdin?.end('é', 'latin1');
    }),
  );
  await twice.same(() =>
    story('true', [], {}, (child) => child.once('exit', () => child.stdin?.write('late'))),
  );
});

test('a child that cannot be started says so in the same words', async () => {
  writeFileSync('/tmp/elsewhere-no-program', 'x', { mode: 0o644 });
  await twice.same(() => story('elsewhere-no-such-program', ['a', 'b']));
  await twice.same(() => story('/tmp/elsewhere-no-program'));
  await twice.same(() => story('true', [], { cwd: '/elsewhere/nowhere' }));
  await twice.same(() => story('true', [], { argv0: 'x', shell: '/elsewhere/no-shell' }));
  for (const wrong of [
    () => childProcess.spawn(''),
    () => childProcess.spawn('a\0b'),
    () => childProcess.spawn('true', [], { cwd: 'a\0b' }),
    () => childProcess.spawn('true', [], { uid: 'root' as never }),
    () => childProcess.spawn('true', [], { stdio: 'none' as never }),
    () => childProcess.spawn('true', [], { stdio: [{} as never] }),
    () => childProcess.spawn('true', [], { stdio: ['ipc', 'ipc'] }),
    () => childProcess.spawn('true', [], { timeout: -1 }),
    () => childProcess.spawn('true', ['x'.repeat(3_000_000)]),
    () => childProcess.spawnSync('true', { stdio: ['ipc'] as never }),
    () => childProcess.spawnSync('true', { input: 5 as never }),
    () => childProcess.execFileSync('true', { killSignal: 'SIGNOTHING' as never }),
    () => childProcess.spawn('true').kill('SIGNOTHING' as never),
  ])
    await twice.same(() => {
      const result = outcomeSync(wrong);
      return result instanceof Error ? result : 'no error';
    });
});

test('options', async () => {
  await twice.same((root) => {
    mkdirSync('below');
    return Promise.all([
      sh('pwd', { cwd: 'below' }),
      sh('pwd', { cwd: `${root}/below` }),
      sh('pwd', { cwd: new URL(`file://${root}/below`) as never }),
      sh('echo $0', { argv0: 'another' }),
      story(process.execPath, ['-p', 'process.argv0'], { argv0: 'named' }),
      story('echo "$0" a', [], { shell: true }),
      story('echo', ['a', 'b'], { shell: '/bin/sh' }),
      sh('echo $ELSEWHERE_TEST', { env: { ...process.env, ELSEWHERE_TEST: 'given' } }),
      sh('ps -o pgid= -p $$ | tr -d " " | grep -cx $$', { detached: true }),
      sh('id -u; id -g', { uid: 1, gid: 1, windowsHide: true }),
      sh('exec sleep 60', { timeout: 30, killSignal: 'SIGKILL' }),
      sh('echo fd3 >&3', { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] }, (child) =>
        child.stdio[3]?.on('data', () => undefined),
      ),
    ]);
  });
});

test('AbortSignal', async () => {
  await twice.same(async () => {
    const abort = new AbortController();
    return sh('exec sleep 60', { signal: abort.signal }, () => abort.abort(new Error('enough')));
  });
  await twice.same(async () => sh('exec sleep 60', { signal: AbortSignal.abort() }));
});

const call = (start: (done: (...values: unknown[]) => void) => ChildProcess): Promise<unknown> =>
  new Promise((resolve) => start((...values) => resolve(values)));

test('exec and execFile', async () => {
  const { exec, execFile } = childProcess;
  await twice.same(() => call((done) => exec('echo out; echo err >&2; exit 3', done)));
  await twice.same(() => call((done) => exec('exec sleep 60', { timeout: 30 }, done)));
  await twice.same(() => call((done) => exec('yes', { maxBuffer: 1000 }, done)));
  await twice.same(() => call((done) => exec('printf "\\351"', { encoding: 'latin1' }, done)));
  await twice.same(() => call((done) => exec('echo x', { encoding: 'buffer' }, done)));
  await twice.same(() => call((done) => execFile('echo', ['a', 'b c'], done)));
  await twice.same(() => call((done) => execFile('elsewhere-no-such-program', ['a'], done)));
  await twice.same(() => call((done) => execFile('sh', ['-c', 'kill $$'], done)));
  await twice.same(() => outcome(() => promisify(exec)('echo out; exit 4')));
  await twice.same(() => outcome(() => promisify(execFile)('echo', ['fine'])));
});

test('the blocking forms', async () => {
  const { spawnSync, execSync, execFileSync } = childProcess;
  const told = (result: childProcess.SpawnSyncReturns<unknown>): object => ({
    ...result,
    pid: result.pid > 0,
  });
  await twice.same(() => told(spawnSync('sh', ['-c', 'echo out; echo err >&2; pwd; exit 5'])));
  await twice.same(() => told(spawnSync('cat', { input: 'in', encoding: 'utf8' })));
  await twice.same(() => told(spawnSync('cat', { input: new Uint16Array([1, 2, 3]) })));
  await twice.same(() =>
    told(spawnSync('cat', { input: Buffer.alloc(3_000_000, 'x'), maxBuffer: 4e6 })),
  );
  await twice.same(() =>
    told(spawnSync('head', ['-c', '1'], { input: Buffer.alloc(3_000_000, 'x') })),
  );
  await twice.same(() => told(spawnSync('sleep', ['60'], { timeout: 30 })));
  await twice.same(() => told(spawnSync('sleep', ['60'], { timeout: 30, killSignal: 'SIGKILL' })));
  await twice.same(() => {
    const { output, ...rest } = told(spawnSync('yes', { maxBuffer: 1000 })) as { output: Buffer[] };
    return { ...rest, stdout: output[1]?.subarray(0, 1000) };
  });
  await twice.same(() => told(spawnSync('elsewhere-no-such-program', ['x'])));
  await twice.same(() => told(spawnSync('true', { cwd: '/elsewhere/nowhere' })));
  await twice.same(() => told(spawnSync('cat', { stdio: ['ignore', 'pipe', 'ignore'] })));
  await twice.same(() =>
    told(
      spawnSync('sh', ['-c', 'echo three >&3; echo four >&4'], {
        stdio: ['pipe', 'pipe', 'pipe', 'pipe', 'pipe'],
      }),
    ),
  );
  await twice.same(() => told(spawnSync('echo $0', { shell: true })));
  await twice.same(() => execSync('echo out', { encoding: 'utf8' }));
  await twice.same(() => execFileSync('echo', ['out']));
  // The error is a property of itself where the child could not be started.
  const failed = (run: () => unknown): object => {
    const { error, ...rest } = outcomeSync(run) as Error & { error?: unknown; pid: number };
    return { ...rest, pid: rest.pid > 0, error: error === undefined };
  };
  await twice.same(() =>
    failed(() => execSync('echo out; echo err >&2; exit 6', { stdio: 'pipe' })),
  );
  await twice.same(() => failed(() => execFileSync('elsewhere-no-such-program', ['x'])));
});

test('a blocking run is one round trip', async () => {
  await twice.same(() => {
    writeFileSync('in.txt', 'x'.repeat(100));
    childProcess.execSync('tr x y < in.txt > out.txt');
    return readFileSync('out.txt', 'utf8');
  });
});

test.run();

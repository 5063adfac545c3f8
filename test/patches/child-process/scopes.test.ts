/** Where a child is started, what it inherits, and when it ends. */
import assert from 'node:assert/strict';
import childProcess from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import {
  type Connection,
  captureStdio,
  connect,
  connectPair,
  withLocal,
  withRemote,
} from '../../../src/index.ts';
import { startAgent, type TestAgent } from '../../kit/agent.ts';
import { suite } from '../../kit/suite.ts';

const test = suite('patches/child-process/scopes', { limit: 30_000 });

let agent: TestAgent;
let conn: Connection;
test.before(async () => {
  // A variable of this machine alone.
  const home = process.env['HOME'] ?? '';
  delete process.env['HOME'];
  agent = await startAgent();
  process.env['HOME'] = home;
  conn = await connect(agent.url);
});
test.after(async () => {
  await conn.close();
  await agent.stop();
});

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const parentOf = 'ps -o ppid= -p $$ | tr -d " "';
/** The process that started a child in this context. */
const starter = (): number => Number(childProcess.execSync(parentOf).toString());

test('a child of a scope is a child of the agent, in its directory; elsewhere it is ours', () => {
  withRemote(conn, { stdio: 'local' }, () => {
    assert.equal(starter(), agent.process.pid);
    assert.equal(childProcess.execSync('pwd').toString().trim(), agent.folder);
    assert.equal(withLocal(starter), process.pid);
    assert.equal(withRemote({ child_process: 'local' }, starter), process.pid);
  });
  assert.equal(withRemote({ child_process: conn }, starter), agent.process.pid);
  assert.equal(
    withRemote({ child_process: conn }, () => childProcess.execSync('pwd').toString().trim()),
    agent.folder,
  );
  assert.equal(
    withRemote(conn, { except: ['child_process'], stdio: 'local' }, starter),
    process.pid,
  );
  assert.equal(starter(), process.pid);
});

test('its environment is the far side’s, with what this program has set or the caller adds', () => {
  process.env['ELSEWHERE_HERE'] = 'set';
  const show = (env?: NodeJS.ProcessEnv): string =>
    withRemote(conn, { stdio: 'local' }, () =>
      childProcess.execSync('echo "$HOME-$ELSEWHERE_HERE-$ADDED-$PWD"', { env }).toString().trim(),
    );
  assert.equal(show(), `-set--${agent.folder}`);
  assert.equal(show({ ...process.env, ADDED: 'yes' }), `-set-yes-${agent.folder}`);
  delete process.env['ELSEWHERE_HERE'];
});

test('process.execPath and fork are the agent’s Node', async () => {
  writeFileSync(
    join(agent.folder, 'child.cjs'),
    `process.send([process.ppid, process.cwd(), process.argv[2]])`,
  );
  await withRemote(conn, { stdio: 'local' }, async () => {
    const child = childProcess.fork('child.cjs', ['argument']);
    const [message] = await once(child, 'message');
    assert.deepEqual(message, [agent.process.pid, agent.folder, 'argument']);
    await once(child, 'close');
  });
});

test('neither the secrets of this program nor the flags it was started with reach the child', async () => {
  writeFileSync(join(agent.folder, 'told.cjs'), `process.send([process.execArgv, process.env])`);
  const own = [...process.execArgv];
  process.execArgv.push('--import', './only-here.mjs');
  process.env['ELSEWHERE_TOKEN'] = 'secret';
  try {
    await withRemote(conn, { stdio: 'local' }, async () => {
      const env = { ...process.env, ELSEWHERE_TOKEN: 'another secret', ADDED: 'x' };
      const child = childProcess.fork('told.cjs', [], { env });
      const [[flags, environment]] = await once(child, 'message');
      assert.deepEqual(flags, []);
      assert.equal(environment.ADDED, 'x');
      assert.equal(environment.ELSEWHERE_TOKEN, undefined);
      await once(child, 'close');
    });
  } finally {
    process.execArgv.splice(0, Infinity, ...own);
    delete process.env['ELSEWHERE_TOKEN'];
  }
});

test('what it inherits is the scope’s: here, a stream of ours, or the far side’s own', async () => {
  const script = ['-c', 'echo out; echo err >&2'];
  const run = async (): Promise<void> => {
    const child = childProcess.spawn('sh', script, { stdio: 'inherit' });
    await once(child, 'exit');
    childProcess.spawnSync('sh', ['-c', 'echo blocking; echo err2 >&2'], { stdio: 'inherit' });
  };
  const captured = await captureStdio(() => withRemote(conn, { except: ['stdio'] }, run));
  assert.equal(captured.stdout, 'out\nblocking\n');
  assert.equal(captured.stderr, 'err\nerr2\n');
  assert.equal(agent.stdout(), '');
  const stdin = new PassThrough();
  const stdout = new PassThrough();
  await withRemote(conn, { stdio: { stdin, stdout } }, async () => {
    const child = childProcess.spawn('tr', ['a-z', 'A-Z'], { stdio: 'inherit' });
    stdin.end('upper');
    await once(child, 'close');
  });
  assert.equal(String(stdout.read()), 'UPPER');
  await withRemote(conn, run);
  while (!agent.stdout().includes('blocking')) await pause(10);
  assert.equal(agent.stdout(), 'out\nblocking\n');
});

test('live output of a blocking run comes while it runs', () => {
  const seen: number[] = [];
  const stdout = new PassThrough();
  stdout.write = ((): boolean => seen.push(performance.now()) > 0) as never;
  withRemote(conn, { stdio: { stdout } }, () =>
    childProcess.execSync('echo first; sleep 0.4; echo second', {
      stdio: ['ignore', 'inherit', 'inherit'],
    }),
  );
  assert.equal(seen.length, 2);
  assert.ok((seen[1] as number) - (seen[0] as number) > 200);
});

test('far files and pipes of other far children can be its stdio; what is here cannot', async () => {
  await withRemote(conn, { stdio: 'local' }, async () => {
    writeFileSync('in.txt', 'line\n');
    const input = openSync('in.txt', 'r');
    const output = openSync('out.txt', 'w');
    await once(childProcess.spawn('cat', { stdio: [input, output, 'ignore'] }), 'close');
    assert.equal(readFileSync('out.txt', 'utf8'), 'line\n');
    childProcess.spawnSync('echo', ['more'], { stdio: ['ignore', output, 'ignore'] });
    assert.equal(readFileSync('out.txt', 'utf8'), 'line\nmore\n');
    closeSync(input);
    closeSync(output);
    const first = childProcess.spawn('seq', ['1000'], { stdio: ['ignore', 'pipe', 'ignore'] });
    const second = childProcess.spawn('wc', ['-l'], { stdio: [first.stdout, 'pipe', 'ignore'] });
    const [count] = await once(second.stdout as NodeJS.ReadableStream, 'data');
    assert.equal(String(count).trim(), '1000');
  });
  const here = openSync('/dev/null', 'r');
  withRemote(conn, { stdio: 'local' }, () => {
    const refused = { code: 'ERR_ELSEWHERE_UNSUPPORTED', message: /not open on the child's side/ };
    assert.throws(() => childProcess.spawn('cat', { stdio: [here, 'pipe', 'pipe'] }), refused);
    assert.throws(() => childProcess.spawnSync('cat', { stdio: [here, 'pipe', 'pipe'] }), refused);
  });
  closeSync(here);
});

const alive = (pid: number): boolean => existsSync(`/proc/${pid}`);
async function gone(pid: number): Promise<void> {
  while (alive(pid)) await pause(20);
}

test('children end with their session, unless detached, and also when they ignore SIGTERM', async () => {
  const own = await connect(agent.url);
  const [plain, stubborn, detached] = await withRemote(own, { stdio: 'local' }, async () => {
    const deaf = childProcess.spawn('sh', [
      '-c',
      'trap "" TERM; echo up; while :; do sleep 0.1; done',
    ]);
    await once(deaf.stdout, 'data');
    return [
      childProcess.spawn('sleep', ['60'], { stdio: 'ignore' }),
      deaf,
      childProcess.spawn('sleep', ['60'], { stdio: 'ignore', detached: true }),
    ] as const;
  });
  const ends = Promise.all([plain, stubborn].map((child) => once(child, 'exit')));
  await own.close();
  assert.deepEqual(await ends, [
    [null, 'SIGHUP'],
    [null, 'SIGHUP'],
  ]);
  await gone(plain.pid as number);
  await gone(stubborn.pid as number);
  assert.ok(alive(detached.pid as number));
  process.kill(detached.pid as number);
  assert.throws(() => withRemote(own, () => childProcess.spawn('true')), {
    code: 'ERR_ELSEWHERE_CLOSED',
  });
});

test('a large output and a large input keep their bytes, and a stalled reader stops the child', async () => {
  await withRemote(conn, { stdio: 'local' }, async () => {
    const sum = childProcess.spawn('cksum');
    const block = Buffer.alloc(1 << 20, 'elsewhere');
    for (let at = 0; at < 8; at++) if (!sum.stdin.write(block)) await once(sum.stdin, 'drain');
    sum.stdin.end();
    const [answer] = await once(sum.stdout, 'data');
    const expected = withLocal(() =>
      childProcess.execFileSync('cksum', { input: Buffer.alloc(8 << 20, block) }),
    );
    assert.equal(String(answer), String(expected));
    const endless = childProcess.spawn('sh', [
      '-c',
      'while :; do echo $((n += 1)) >&2; head -c 100000 /dev/zero; done',
    ]);
    let rounds = 0;
    endless.stderr.on(
      'data',
      (bytes: Buffer) => (rounds = Number(String(bytes).trim().split('\n').at(-1))),
    );
    for (let before = -1; rounds !== before || rounds === 0; ) {
      before = rounds;
      await pause(300);
    }
    assert.ok(rounds < 60, `${rounds} rounds of 100 kB`);
    endless.kill();
    endless.stdout.resume();
    await once(endless, 'close');
  });
});

test('events, streams and messages keep the scope; handles work outside it', async () => {
  const { near, far } = await connectPair();
  await near.close();
  await far.close();
  const child = withRemote(conn, { stdio: 'local' }, () => childProcess.spawn('cat'));
  child.stdin.end('after');
  const [bytes] = await once(child.stdout, 'data');
  assert.equal(String(bytes), 'after');
  await once(child, 'close');
  const pid = await new Promise((resolve) =>
    withRemote(conn, { stdio: 'local' }, () =>
      childProcess.spawn('true').on('exit', () => resolve(starter())),
    ),
  );
  assert.equal(pid, agent.process.pid);
});

test.run();

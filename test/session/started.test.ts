// Agents that are started for one connection: exec: with all that may stand before the agent, and ports of threads.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { type Connection, connect, withRemote } from '../../src/index.ts';
import { connectBlocking } from '../../src/service/connect.ts';
import { cliFile, elsewhere } from '../kit/agent.ts';
import { suite } from '../kit/suite.ts';

const test = suite('session/started', { limit: 30_000 });
const AGENT = `'${process.execPath}' '${cliFile}' serve --stdio`;

async function using(conn: Connection, play: (conn: Connection) => Promise<void>): Promise<void> {
  try {
    await play(conn);
  } finally {
    await conn.close();
  }
}

const read = (conn: Connection, path: string): string =>
  withRemote(conn, { except: ['stdio'] }, () => fs.readFileSync(path, 'utf8'));

test('exec: an agent on the standard streams of a command, blocking calls and large ones too', async () => {
  const folder = fs.mkdtempSync('/tmp/elsewhere-started-');
  await using(await connect(`exec:cd ${folder} && ${AGENT}`), async (conn) => {
    assert.equal(await conn.eval('process.cwd()'), folder);
    assert.notEqual(conn.peer.pid, process.pid);
    const large = Buffer.alloc(5_000_000, 'large');
    withRemote(conn, { except: ['stdio'] }, () => {
      fs.writeFileSync('large', large);
      assert.ok(fs.readFileSync('large').equals(large));
    });
    await withRemote(conn, { except: ['stdio'] }, async () => {
      await fs.promises.writeFile('small', 'x');
      assert.equal(fs.readFileSync('small', 'utf8'), 'x');
      assert.ok((await fs.promises.readFile('large')).equals(large));
    });
  });
  fs.rmSync(folder, { recursive: true });
});

test('exec: what is printed before the agent and by its guests disturbs nothing', () =>
  connect(`exec:echo Welcome; echo to this machine; ${AGENT}`).then((conn) =>
    using(conn, async () => {
      await conn.eval(`console.log('a stray line'), process.stdout.write('and another')`);
      await conn.eval(
        `require('node:child_process').execFileSync('echo', ['a child prints'], { stdio: 'inherit' }), 0`,
      );
      assert.equal(await conn.eval('1 + 1'), 2);
      assert.equal(read(conn, '/proc/self/stat').length > 0, true);
    }),
  ));

test('exec: the child ends with the connection, and the connection with the child', async () => {
  const conn = await connect(`exec:${AGENT}`);
  const { pid } = conn.peer;
  await conn.close();
  while (fs.existsSync(`/proc/${pid}`)) await sleep(20);
  const other = await connect(`exec:${AGENT}`);
  process.kill(other.peer.pid, 'SIGKILL');
  const reason = await other.closed;
  assert.equal((reason as NodeJS.ErrnoException).code, 'ERR_ELSEWHERE_CONNECTION_LOST');
});

for (const [what, command, said] of [
  ['is not there', 'no-such-program-of-ours', /exit code 127: .*not found/],
  ['fails', 'echo first >&2; echo the last word >&2; exit 3', /exit code 3: the last word/],
  ['prints and ends', 'echo only a greeting', /exit code 0: only a greeting/],
] as const)
  test(`exec: a command that ${what} is told with its last word`, async () => {
    const expected = { code: 'ERR_ELSEWHERE_CONNECT', message: said };
    await assert.rejects(connect(`exec:${command}`), expected);
    assert.throws(() => connectBlocking(`exec:${command}`), expected);
  });

test('exec: a program under `elsewhere run` connects by a blocking call', async () => {
  const folder = fs.mkdtempSync('/tmp/elsewhere-started-');
  fs.writeFileSync(`${folder}/here`, 'the text over there');
  const ended = await elsewhere([
    ...['run', '--on', `exec:cd ${folder} && ${AGENT}`, '--', process.execPath, '-p'],
    'require("node:fs").readFileSync("here", "utf8")',
  ]);
  fs.rmSync(folder, { recursive: true });
  assert.equal(ended.stdout, 'the text over there\n', ended.stderr);
  assert.equal(ended.code, 0);
});

const WORKER = `
  const { parentPort, workerData } = require('node:worker_threads');
  import(workerData).then(({ serve }) => serve({ listen: parentPort }));`;

test('a worker that serves on its port', async () => {
  const worker = new Worker(WORKER, {
    eval: true,
    workerData: new URL('../../src/index.js', import.meta.url).href,
  });
  await using(await connect(worker), async (conn) => {
    assert.equal(conn.peer.pid, process.pid);
    assert.equal(await conn.eval('globalThis.there = 5'), 5);
    assert.equal((globalThis as { there?: number }).there, undefined);
    assert.ok(read(conn, '/proc/self/stat').length > 0);
  });
  await worker.terminate();
});

test('a port that nobody serves is given up', async () => {
  const worker = new Worker('setInterval(() => undefined, 1000)', { eval: true });
  await assert.rejects(connect(worker, { timeout: 300 }), { code: 'ERR_ELSEWHERE_TIMEOUT' });
  await worker.terminate();
});

test.run();

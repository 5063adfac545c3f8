/**
 * The same bodies, with files, children and standard streams, wherever they run: here, over each kind of link, over links
 * that are cut all the time, and on two far sides at once. What they find is the same.
 */
import assert from 'node:assert/strict';
import { execFile, execFileSync, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs, { promises } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { type Connection, captureStdio, connect, withRemote } from '../../src/index.ts';
import { startAgent } from '../kit/agent.ts';
import { describe, outcome } from '../kit/outcome.ts';
import { suite } from '../kit/suite.ts';
import { onStage } from '../session/stage.ts';

const test = suite('patches/conditions', { limit: 60_000, fileLimit: 200_000 });

/** Each starts in an empty folder of its own, which is the working directory. */
const BODIES: Readonly<Record<string, (root: string) => unknown>> = {
  'files, blocking': () => {
    fs.mkdirSync('a/b', { recursive: true });
    fs.writeFileSync('a/b/c.txt', 'content');
    for (let i = 0; i < 10; i++) fs.appendFileSync('log', `${i}\n`);
    const descriptor = fs.openSync('a/b/c.txt', 'r+');
    fs.writeSync(descriptor, 'CON', 0);
    const part = Buffer.alloc(4);
    fs.readSync(descriptor, part, 0, 4, 1);
    fs.closeSync(descriptor);
    fs.renameSync('a/b/c.txt', 'moved');
    fs.symlinkSync('moved', 'link');
    return [part, fs.readFileSync('link', 'utf8'), fs.readFileSync('log', 'utf8')];
  },
  'files, later': async () => {
    const large = Buffer.alloc(700_000, 'ab');
    await Promise.all(Array.from({ length: 8 }, (_, i) => promises.writeFile(`f${i}`, `${i}`)));
    await promises.writeFile('large', large);
    await pipeline(fs.createReadStream('large'), fs.createWriteStream('copy'));
    const lines: string[] = [];
    await promises.writeFile('lines', 'one\ntwo\nthree\n');
    const file = await promises.open('lines');
    for await (const line of file.readLines()) lines.push(line);
    await promises.rm('f0');
    return [await promises.readFile('copy'), lines, (await promises.readdir('.')).sort()];
  },
  refusals: async () => [
    await outcome(() => promises.readFile('nowhere')),
    await outcome(() => fs.mkdirSync('.')),
    await outcome(() => fs.readdirSync('nowhere/deeper')),
    // It has itself as a property, so only its text is compared.
    String(await outcome(() => execFileSync('no-such-program'))),
  ],
  children: async () => {
    const child = spawn('sh', ['-c', 'cat; echo problem >&2; exit 7']);
    child.stdin.end('through');
    const closed = once(child, 'close');
    const output = await Promise.all([text(child.stdout), text(child.stderr), closed]);
    const killed = spawn('sleep', ['60']);
    const ended = once(killed, 'exit');
    killed.kill('SIGTERM');
    fs.writeFileSync(
      'echo.cjs',
      'process.on("message", (m) => process.send([m], () => process.disconnect()))',
    );
    const forked = fork('echo.cjs');
    forked.send({ date: 1 });
    const [message] = await once(forked, 'message');
    return [
      output,
      await ended,
      message,
      execFileSync('sh', ['-c', 'echo "$0" > made; cat made', 'blocking'], { encoding: 'utf8' }),
      (await promisify(execFile)('pwd')).stdout,
    ];
  },
  'standard streams': () =>
    captureStdio(async () => {
      console.log('first');
      await promises.writeFile('x', '');
      console.error('%s', 'wrong');
      const child = spawn('echo', ['by a child'], { stdio: 'inherit' });
      await once(child, 'close');
      fs.writeSync(1, 'by number\n');
      process.stdout.write('last');
    }),
};

let runs = 0;

/** What each body finds in a new folder below that one. */
async function findings(parent: string, enter: (root: string, fn: () => unknown) => unknown) {
  const found: Record<string, unknown> = {};
  for (const [name, body] of Object.entries(BODIES)) {
    const root = join(parent, `run-${runs++}`);
    fs.mkdirSync(root);
    found[name] = await enter(root, async () => describe(await outcome(() => body(root)), root));
  }
  return found;
}

const there = (conn: Connection, folder: string) =>
  findings(folder, (root, fn) => withRemote(conn, { cwd: root, stdio: 'local' }, fn));

let here: Record<string, unknown>;

test.before(async () => {
  const folder = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), 'elsewhere-here-')));
  const before = process.cwd();
  here = await findings(folder, (root, fn) => {
    process.chdir(root);
    return fn();
  });
  process.chdir(before);
  fs.rmSync(folder, { recursive: true });
});

const LINKS = {
  ws: 'ws://127.0.0.1:0',
  unix: `unix:${join(fs.mkdtempSync(join(tmpdir(), 'elsewhere-link-')), 's')}`,
};

for (const [kind, listen] of Object.entries(LINKS))
  test(`over ${kind}`, async () => {
    const agent = await startAgent({ listen });
    const conn = await connect(agent.url);
    assert.deepEqual(await there(conn, agent.folder), here);
    await conn.close();
    await agent.stop();
  });

test('over links that are cut all the time', () =>
  onStage('ws', { life: 60, seed: 9 }, async ({ agent, chaos, conn }) => {
    do assert.deepEqual(await there(conn, agent.folder), here);
    while (chaos.broken < 5);
  }));

test('on two far sides at once', async () => {
  const agents = await Promise.all(Object.values(LINKS).map((listen) => startAgent({ listen })));
  const conns = await Promise.all(agents.map(({ url }) => connect(url)));
  const found = await Promise.all(
    agents.map(({ folder }, i) => there(conns[i] as Connection, folder)),
  );
  for (const each of found) assert.deepEqual(each, here);
  for (const conn of conns) await conn.close();
  for (const agent of agents) await agent.stop();
});

test.run();

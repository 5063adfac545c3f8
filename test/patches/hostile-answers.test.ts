/**
 * Row D4 of the attack list, through Node's own functions: an agent that answers with what they never give. Each answer is
 * refused with ERR_ELSEWHERE_BAD_REPLY, and the connection is over. answers.test.ts has the kinds of values.
 */
import assert from 'node:assert/strict';
import child from 'node:child_process';
import dgram from 'node:dgram';
import dns from 'node:dns';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import { patches } from '../../patches/index.ts';
import { type Connection, overlay, withRemote } from '../../src/index.ts';
import type { AnyPatch, RemoteContext, RemoteStream } from '../../src/patch.ts';
import { connectPairWith } from '../../src/service/pair.ts';
import { Referring } from '../../src/wire/sealed.ts';
import { assertIntact, intrinsics, workTime } from '../kit/intact.ts';
import { suite } from '../kit/suite.ts';

const test = suite('patches/hostile-answers', { limit: 20_000 });

const thenable = (then: unknown): object => Object.fromEntries([['then', then]]);

const EVIL: Readonly<Record<string, () => unknown>> = {
  'a function': () =>
    new Referring(
      () => 1,
      () => [1, 'f', 'x', []],
    ),
  'a thenable': () =>
    new Referring(
      thenable(() => 1),
      () => [1, 'f', 'x', []],
    ),
  'a list of lists': () => [[[]]],
  'a map': () => new Map([['then', 1]]),
};

/** Answers everything with `evil`, and says nothing else on its streams. */
function hostilePatches(evil: () => unknown): AnyPatch[] {
  const open = (stream: RemoteStream): void => {
    stream.accept({ data: () => undefined, end: () => undefined, closed: () => undefined });
    stream.signal(evil());
  };
  return patches.map((patch) => ({
    ...patch,
    remote: () => ({
      calls: Object.fromEntries(Object.keys(patch.answers ?? {}).map((name) => [name, evil])),
      streams: Object.fromEntries(Object.keys(patch.signals ?? {}).map((name) => [name, open])),
    }),
  }));
}

/** Its error, the one behind it, or what it tells instead. */
type Attempt = (conn: Connection) => unknown;
const called = (start: (done: (error: unknown) => void) => unknown): Promise<void> =>
  new Promise((resolve, reject) => {
    start((error) => (error instanceof Error ? reject(error) : resolve()));
  });
const failed = async (emitter: NodeJS.EventEmitter): Promise<never> => {
  const [error] = await once(emitter, 'error');
  throw error;
};

const promises: Readonly<Record<string, () => Promise<unknown>>> = {
  readFile: () => fs.promises.readFile('/x'),
  writeFile: () => fs.promises.writeFile('/x', 'y'),
  stat: () => fs.promises.stat('/x'),
  statfs: () => fs.promises.statfs('/x', {}),
  open: () => fs.promises.open('/x'),
  readdir: () => fs.promises.readdir('/x'),
  opendir: () => fs.promises.opendir('/x'),
  mkdir: () => fs.promises.mkdir('/x', { recursive: true }),
  mkdtemp: () => fs.promises.mkdtemp('/x'),
  rename: () => fs.promises.rename('/x', '/y'),
  readlink: () => fs.promises.readlink('/x'),
  realpath: () => fs.promises.realpath('/x'),
  rm: () => fs.promises.rm('/x', { recursive: true }),
  cp: () => fs.promises.cp('/x', '/y', { recursive: true }),
  utimes: () => fs.promises.utimes('/x', 1, 1),
};

/** [what, how it is called in a scope] */
const CALLS: readonly (readonly [string, Attempt])[] = [
  ...Object.entries(promises).map(([name, call]) => [`fs.promises.${name}`, call] as const),
  ['fs.readFileSync', () => fs.readFileSync('/x')],
  ['fs.readFileSync as text', () => fs.readFileSync('/x', 'utf8')],
  ['fs.statSync', () => fs.statSync('/x')],
  ['fs.existsSync', () => fs.existsSync('/x')],
  ['fs.openSync', () => fs.openSync('/x', 'r')],
  ['fs.writeFileSync', () => fs.writeFileSync('/x', 'y')],
  ['fs.readdirSync', () => fs.readdirSync('/x', { withFileTypes: true })],
  ['fs.mkdtempSync', () => fs.mkdtempSync('/x')],
  ['fs.rmSync', () => fs.rmSync('/x')],
  ['fs.watch', () => fs.watch('/x')],
  ['fs.readFile', () => called((done) => fs.readFile('/x', done))],
  ['fs.stat', () => called((done) => fs.stat('/x', done))],
  ['fs.readdir', () => called((done) => fs.readdir('/x', done))],
  ['fs.access', () => called((done) => fs.access('/x', done))],
  ['fs.createReadStream', () => failed(fs.createReadStream('/x'))],
  ['fs.createWriteStream', () => failed(fs.createWriteStream('/x'))],
  ['an overlay', (conn) => withRemote({ fs: overlay(conn) }, () => fs.readdirSync('/x'))],
  ['os.hostname', () => os.hostname()],
  ['os.cpus', () => os.cpus()],
  ['os.userInfo', () => os.userInfo()],
  ['os.networkInterfaces', () => os.networkInterfaces()],
  ['process.chdir', () => process.chdir('/x')],
  ['process.getuid', () => process.getuid?.()],
  ['process.getgroups', () => process.getgroups?.()],
  ['process.hrtime', () => process.hrtime()],
  ['process.env', (conn) => withRemote(conn, { env: 'remote' }, () => process.env['PATH'])],
  ['process.stdout.isTTY', () => process.stdout.isTTY],
  ['dns.lookup', () => called((done) => dns.lookup('a.name', done))],
  ['dns.promises.lookup', () => dns.promises.lookup('a.name')],
  ['dns.lookupService', () => called((done) => dns.lookupService('127.0.0.1', 22, done))],
  ['dns.resolve4', () => called((done) => dns.resolve4('a.name', done))],
  ['dns.promises.resolveMx', () => dns.promises.resolveMx('a.name')],
  ['dns.getServers', () => dns.getServers()],
  ['dgram bind', () => failed(dgram.createSocket('udp4').bind(0, '127.0.0.1', undefined))],
  ['net.connect', () => failed(net.connect(1, '127.0.0.1'))],
  ['net.Server', () => failed(net.createServer().listen(0))],
  ['child_process.spawn', () => child.spawn('x')],
  ['child_process.exec', () => called((done) => child.exec('x', done))],
  ['child_process.spawnSync', () => child.spawnSync('x')],
  ['child_process.execFileSync', () => child.execFileSync('x')],
];

/** Node makes the error of these from a number: nothing can be behind it. */
const BY_NUMBER: Readonly<Record<string, string>> = { 'dgram bind': 'ENETDOWN' };

/** The codes of an error and of what is behind it. */
function codesOf(error: unknown): string[] {
  const codes: string[] = [];
  for (let at = error; at instanceof Error && codes.length < 9; at = at.cause)
    codes.push(String((at as { code?: unknown }).code));
  return codes;
}

for (const [what, evil] of Object.entries(EVIL)) {
  test(`${CALLS.length} functions that an agent answers with ${what}`, async () => {
    const before = intrinsics();
    for (const [name, attempt] of CALLS) {
      const work = workTime();
      const { near, far } = await connectPairWith(hostilePatches(evil));
      try {
        await withRemote(near, async () => attempt(near));
        assert.fail(`${name} believed it`);
      } catch (error) {
        assert.ok(
          codesOf(error).some(
            (code) => code === 'ERR_ELSEWHERE_BAD_REPLY' || code === BY_NUMBER[name],
          ),
          `${name}: ${String(error)} ${codesOf(error)}`,
        );
      }
      assert.ok(codesOf(await near.closed).includes('ERR_ELSEWHERE_BAD_REPLY'), name);
      await far.close();
      assert.ok(work() < 200, `${name} held up the loop`);
    }
    assertIntact(before);
  });
}

const opened: readonly (readonly [string, Attempt])[] = [
  ['fs.watch', () => fs.watch(os.tmpdir()).on('error', () => undefined)],
  ['fs.watchFile', () => fs.watchFile('/x', () => undefined)],
  ['net.connect', () => net.connect(1, '127.0.0.1').on('error', () => undefined)],
  [
    'net.Server',
    () =>
      net
        .createServer()
        .listen(0)
        .on('error', () => undefined),
  ],
  [
    'dgram',
    () =>
      dgram
        .createSocket('udp4')
        .on('error', () => undefined)
        .bind(0),
  ],
  ['process.stdout', () => process.stdout.write('x')],
];

test(`${opened.length} streams on which an agent says what is no report of theirs`, async () => {
  for (const [name, open] of opened) {
    const evil = hostilePatches(() => new Map());
    const half = patches.map((patch, at) => ({
      ...patch,
      remote: (context: RemoteContext) => ({
        calls: patch.remote?.(context).calls ?? {},
        streams: evil[at]?.remote?.(context).streams ?? {},
      }),
    }));
    const { near, far } = await connectPairWith(half);
    withRemote(near, () => open(near));
    assert.ok(codesOf(await near.closed).includes('ERR_ELSEWHERE_BAD_REPLY'), name);
    await far.close();
  }
  fs.unwatchFile('/x');
});

test('an overlay puts nothing outside of its folder, whatever the far side calls its files', async () => {
  const folder = fs.mkdtempSync(`${os.tmpdir()}/elsewhere-overlay-`);
  const directory = new BigInt64Array(18);
  directory[1] = 0o040755n;
  const calls = {
    realpath: () => Buffer.from('/../../out'),
    lstat: () => directory,
    exists: () => false,
  };
  const evil = patches.map((patch) =>
    patch.name === 'fs' ? { ...patch, remote: () => ({ calls }) } : patch,
  );
  const { near, far } = await connectPairWith(evil);
  assert.throws(
    () =>
      withRemote({ fs: overlay(near, { folder: `${folder}/a` }) }, () =>
        fs.writeFileSync('/x/y', 'z'),
      ),
    { code: 'ERR_ELSEWHERE_BAD_REPLY' },
  );
  assert.deepEqual(fs.readdirSync(folder), ['a']);
  fs.rmSync(folder, { recursive: true });
  await far.close();
});

test('what is thrown and is no error is refused too', async () => {
  for (const thrown of ['text', thenable(1), { code: 'ENOENT' }, { message: 'x', path: [] }]) {
    const { near, far } = await connectPairWith(
      hostilePatches(() => {
        throw thrown;
      }),
    );
    await assert.rejects(
      withRemote(near, () => fs.promises.stat('/x')),
      { code: 'ERR_ELSEWHERE_BAD_REPLY' },
    );
    await far.close();
  }
});

test('one bad answer ends the connection for all that was under way', async () => {
  const { near, far } = await connectPairWith(hostilePatches(() => 'x'));
  const outcomes = await withRemote(near, () =>
    Promise.allSettled([fs.promises.stat('/x'), fs.promises.stat('/y')]),
  );
  assert.deepEqual(
    outcomes.map((outcome) => outcome.status === 'rejected' && outcome.reason.code),
    ['ERR_ELSEWHERE_BAD_REPLY', 'ERR_ELSEWHERE_CONNECTION_LOST'],
  );
  await assert.rejects(
    withRemote(near, () => fs.promises.stat('/x')),
    { code: 'ERR_ELSEWHERE_CLOSED' },
  );
  await far.close();
});

test.run();

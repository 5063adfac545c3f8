// An agent with a policy: what it lists works, all else fails as Node fails, with the rule as cause.
import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { once } from 'node:events';
import fs from 'node:fs';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Connection, connect, serve, withRemote } from '../../src/index.ts';
import { startAgent, type TestAgent } from '../kit/agent.ts';
import { suite } from '../kit/suite.ts';

const test = suite('session/policy', { limit: 15_000 });
let agent: TestAgent;
let conn: Connection;
let root: string;
let web: net.Server;
let port: number;

test.before(async () => {
  root = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), 'elsewhere-policy-')));
  for (const name of ['in', 'in/out', 'secret']) fs.mkdirSync(join(root, name));
  fs.writeFileSync(join(root, 'in/file'), 'may be read');
  fs.writeFileSync(join(root, 'secret/file'), 'may not');
  fs.symlinkSync('../secret', join(root, 'in/link'));
  fs.symlinkSync('../secret/file', join(root, 'in/to-file'));
  fs.symlinkSync('../../secret/new', join(root, 'in/out/dangling'));
  web = net.createServer((socket) => socket.end('hello')).listen(0, '127.0.0.1');
  await once(web, 'listening');
  port = (web.address() as AddressInfo).port;
  agent = await startAgent({
    args: [
      '--read',
      join(root, 'in'),
      '--write',
      join(root, 'in/out'),
      '--connect',
      `127.0.0.1:${port}`,
    ],
  });
  conn = await connect(agent.url);
});
test.after(async () => {
  await conn.close();
  await agent.stop();
  web.close();
  fs.rmSync(root, { recursive: true, force: true });
});

const there = <R>(fn: () => R): R => withRemote(conn, { except: ['stdio'], cwd: '/' }, fn);

function isDenial(rule: string): (error: unknown) => boolean {
  return (error) => {
    const { code, cause } = error as NodeJS.ErrnoException & { cause?: NodeJS.ErrnoException };
    assert.equal(code, 'EACCES');
    assert.equal(cause?.code, 'ERR_ELSEWHERE_DENIED');
    assert.ok(cause.message.includes(rule), cause.message);
    return true;
  };
}

test('files: what is listed', () =>
  there(async () => {
    assert.equal(fs.readFileSync(join(root, 'in/file'), 'utf8'), 'may be read');
    assert.deepEqual(fs.readdirSync(join(root, 'in/out')), ['dangling']);
    fs.writeFileSync(join(root, 'in/out/new'), 'x');
    await fs.promises.rename(join(root, 'in/out/new'), join(root, 'in/out/newer'));
    await fs.promises.rm(join(root, 'in/out/newer'));
    assert.equal(fs.readlinkSync(join(root, 'in/link')), '../secret');
  }));

/** Each leads out of what may be read. */
const OUTSIDE = [
  'secret/file',
  'in/../secret/file',
  'in/link/file',
  'in/to-file',
  'in/link/../secret/file',
];

test('files: no way out for reading', () =>
  there(async () => {
    for (const path of OUTSIDE) {
      const at = `${root}/${path}`;
      const denied = isDenial('fs.read');
      assert.throws(() => fs.readFileSync(at), denied, path);
      assert.throws(() => fs.openSync(at, 'r'), denied, path);
      assert.throws(() => fs.statSync(at), denied, path);
      assert.throws(() => fs.readFileSync(Buffer.from(at)), denied, path);
      await assert.rejects(fs.promises.readFile(at), denied, path);
      await assert.rejects(fs.promises.cp(at, join(root, 'in/out/copy')), denied, path);
      await assert.rejects(fs.promises.copyFile(at, join(root, 'in/out/copy')), denied, path);
      assert.equal(fs.existsSync(at), false, path);
    }
    assert.throws(() => fs.readFileSync('/proc/self/environ'), isDenial('fs.read'));
    assert.throws(() => fs.readdirSync(root), isDenial('fs.read'));
    assert.throws(() => process.chdir(root), isDenial('fs.read'));
    try {
      fs.readFileSync(join(root, 'secret/file'));
    } catch (error) {
      assert.equal(
        (error as Error).message,
        `EACCES: permission denied, open '${root}/secret/file'`,
      );
    }
  }));

test('files: nothing outside is written, and nothing that may only be read', async () => {
  const secret = join(root, 'secret/file');
  const only = join(root, 'in/file');
  const made = join(root, 'in/out/made');
  const ways: [string, () => unknown][] = [
    ['writeFile', () => fs.writeFileSync(only, 'x')],
    ['append', () => fs.appendFileSync(only, 'x')],
    ['r+', () => fs.openSync(only, 'r+')],
    ['w through a link', () => fs.openSync(join(root, 'in/to-file'), 'w')],
    ['dangling', () => fs.writeFileSync(join(root, 'in/out/dangling'), 'x')],
    ['truncate', () => fs.truncateSync(only)],
    ['chmod', () => fs.chmodSync(only, 0o777)],
    ['utimes', () => fs.utimesSync(only, 1, 1)],
    ['unlink', () => fs.unlinkSync(only)],
    ['rename out of', () => fs.renameSync(only, made)],
    ['rename into', () => fs.renameSync(secret, made)],
    ['hard link', () => fs.linkSync(secret, made)],
    ['symbolic link', () => fs.symlinkSync(secret, made)],
    ['relative link', () => fs.symlinkSync('../../secret/file', made)],
    ['mkdir', () => fs.mkdirSync(join(root, 'in/dir'))],
    ['mkdtemp', () => fs.mkdtempSync(join(root, 'in/dir'))],
    ['rm', () => fs.rmSync(join(root, 'in'), { recursive: true })],
    ['cp', () => fs.promises.cp(join(root, 'in'), join(root, 'copy'), { recursive: true })],
  ];
  for (const [name, way] of ways)
    await assert.rejects(async () => await there(way), isDenial('fs.'), name);
  assert.equal(fs.readFileSync(secret, 'utf8'), 'may not');
  assert.equal(fs.readFileSync(only, 'utf8'), 'may be read');
  assert.deepEqual(fs.readdirSync(join(root, 'secret')), ['file']);
  assert.deepEqual(fs.readdirSync(join(root, 'in/out')), ['dangling']);
});

const failure = (emitter: net.Socket | net.Server | dgram.Socket): Promise<unknown> =>
  new Promise((resolve) => emitter.once('error', resolve));

test('sockets: what is listed, and a denial for the rest', async () => {
  const socket = there(() => net.connect(port, '127.0.0.1'));
  assert.equal(String((await once(socket, 'data'))[0]), 'hello');
  const denied = isDenial('net.connect');
  denied(await failure(there(() => net.connect(port + 1, '127.0.0.1'))));
  denied(await failure(there(() => net.connect(port, '127.0.0.2'))));
  denied(await failure(there(() => net.connect('/run/docker.sock'))));
  await assert.rejects(
    there(() => fetch('http://169.254.169.254/')),
    (error) => denied((error as { cause: unknown }).cause),
  );
  isDenial('net.listen')(await failure(there(() => net.createServer().listen(0))));
  isDenial('net.listen')(await failure(there(() => net.createServer().listen(`${root}/in/out/s`))));
});

test('datagrams: only to whom a connect is allowed', async () => {
  const socket = there(() => dgram.createSocket('udp4'));
  const sent = (to: number): Promise<NodeJS.ErrnoException | null> =>
    new Promise((resolve) => socket.send('x', to, '127.0.0.1', resolve));
  assert.equal(await sent(port), null);
  assert.equal((await sent(port + 1))?.code, 'EACCES');
  socket.close();
  const listener = there(() => dgram.createSocket('udp4'));
  listener.bind(port, '127.0.0.1');
  assert.equal(((await failure(listener)) as NodeJS.ErrnoException).code, 'EACCES');
});

test('code is not run, unless the policy says so', async () => {
  await assert.rejects(conn.eval('1'), { code: 'ERR_ELSEWHERE_DENIED' });
  const open = await serve({ policy: { classic: true } });
  const other = await connect(open.url);
  assert.equal(await other.eval('1 + 1'), 2);
  await other.close();
  await open.close();
});

test.run();

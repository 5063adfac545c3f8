/** `policy`: a function that says where each path and place goes. Two far sides and this one. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs, { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cp, readdir, readFile } from 'node:fs/promises';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { explain, type ScopeOperation, type ScopePolicy, withRemote } from '../../src/index.ts';
import { suite } from '../kit/suite.ts';
import { threeSides } from '../patches/three-sides.ts';

const test = suite('scope/policy', { limit: 15_000 });
const sides = threeSides(test);
const folder = mkdtempSync(join(tmpdir(), 'elsewhere-policy-'));
test.after(() => rmSync(folder, { recursive: true }));
test.before(() => {
  writeFileSync(join(folder, 'here.txt'), 'here');
  for (const side of ['A', 'B'] as const)
    writeFileSync(join(sides.agents[side].folder, 'name.txt'), side);
});

/** Jobs of Node 26 are refused where what they meet may be elsewhere. */
const refused = ({ code }: NodeJS.ErrnoException): boolean =>
  code === 'EACCES' || code === 'ERR_ELSEWHERE_UNSUPPORTED';

/** Files of B's folder are B's, those of this folder are local, secrets nobody's, all else the scope's own. */
const asked: ScopeOperation[] = [];
const policy: ScopePolicy = (operation) => {
  asked.push(operation);
  if (operation.patch !== 'fs') return undefined;
  const { path } = operation;
  if (path.includes('secret')) return 'deny';
  // What it does itself is local.
  if (path.startsWith(folder) && fs.existsSync(folder)) return 'local';
  return path.startsWith(sides.agents.B.folder) ? sides.connections.B : undefined;
};
const within = <R>(fn: () => R): R => withRemote(sides.connections.A, { policy }, fn);

test('each path is asked about: the scope’s side, another far side, here, nobody', async () => {
  const there = join(sides.agents.B.folder, 'name.txt');
  await within(async () => {
    assert.equal(readFileSync('name.txt', 'utf8'), 'A');
    assert.equal(readFileSync(there, 'utf8'), 'B');
    assert.equal(await readFile(there, 'utf8'), 'B');
    assert.equal(readFileSync(join(folder, 'here.txt'), 'utf8'), 'here');
    assert.throws(() => readFileSync('secret.txt'), { code: 'EACCES' });
    await assert.rejects(readFile('/secret'), (error: NodeJS.ErrnoException) => {
      assert.equal(error.code, 'EACCES');
      return (error.cause as { code: string }).code === 'ERR_ELSEWHERE_DENIED';
    });
    // A descriptor stays where it was opened.
    const fd = fs.openSync(there, 'r+');
    fs.writeSync(fd, 'b');
    fs.closeSync(fd);
    assert.equal(explain('/etc/hosts').rule, 'default');
    assert.deepEqual(
      [explain(there).rule, explain(there).connection?.id, explain('/secret').side],
      ['policy', sides.connections.B.id, 'deny'],
    );
    assert.equal(explain(join(folder, 'x')).connection, undefined);
  });
  assert.equal(readFileSync(there, 'utf8'), 'b');
  const named = asked.filter(({ patch }) => patch === 'fs') as { path: string }[];
  assert.ok(named.some(({ path }) => path === join(sides.agents.A.folder, 'name.txt')));
});

test('two machines are two file systems; trees are walked entry by entry', async () => {
  const there = sides.agents.B.folder;
  await within(async () => {
    assert.throws(() => fs.renameSync('name.txt', join(there, 'moved')), { code: 'EXDEV' });
    await assert.rejects(fs.promises.link('name.txt', join(there, 'moved')), { code: 'EXDEV' });
    assert.throws(() => fs.mkdirSync('secret'), { code: 'EACCES' });
  });
  withRemote(sides.connections.A, () => {
    fs.mkdirSync('tree/secret', { recursive: true });
    fs.writeFileSync('tree/secret/x', 'x');
    fs.writeFileSync('tree/y', 'y');
  });
  await within(async () => {
    await assert.rejects(readdir('tree', { recursive: true }), refused);
    await assert.rejects(cp('tree', 'copy', { recursive: true }), refused);
    await cp('tree/y', join(folder, 'y'));
  });
  assert.equal(readFileSync(join(folder, 'y'), 'utf8'), 'y');
});

test('places too: who makes the connection', async () => {
  const server = net.createServer((socket) => {
    socket.on('error', () => undefined);
    socket.end(sides.owner(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const dial = async (): Promise<string> => {
    const socket = net.connect(port, '127.0.0.1');
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    return chunk.toString();
  };
  const places: ScopeOperation[] = [];
  for (const [side, answer] of [
    ['A', 'remote'],
    ['A', undefined],
    ['local', 'local'],
    ['B', sides.connections.B],
  ] as const) {
    const one: ScopePolicy = (operation) => {
      places.push(operation);
      return operation.patch === 'net' ? answer : undefined;
    };
    assert.equal(await withRemote(sides.connections.A, { policy: one }, dial), side);
  }
  assert.ok(places.every((place) => place.patch === 'net' && 'port' in place));
  await assert.rejects(withRemote(sides.connections.A, { policy: () => 'deny' }, dial), {
    code: 'EACCES',
  });
  // The lists hold where the function says nothing.
  const net1 = { local: [`127.0.0.1:${port}`] };
  assert.equal(
    await withRemote(sides.connections.A, { policy: () => undefined, net: net1 }, dial),
    'local',
  );
  server.close();
});

test('what is no answer, or no function, is refused; what it throws is thrown', () => {
  const conn = sides.connections.A;
  for (const bad of ['there', null, 1, {}])
    assert.throws(
      () => withRemote(conn, { policy: () => bad as never }, () => readFileSync('name.txt')),
      { code: 'ERR_ELSEWHERE_ARGUMENT' },
    );
  const failing = (): never => {
    throw new RangeError('mine');
  };
  assert.throws(() => withRemote(conn, { policy: failing }, () => readFileSync('name.txt')), {
    message: 'mine',
  });
  assert.throws(() => withRemote(conn, { policy: { fs: {} } as never }, () => undefined), {
    code: 'ERR_ELSEWHERE_ARGUMENT',
  });
});

test.run();

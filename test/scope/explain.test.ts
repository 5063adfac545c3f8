/** `explain` says where things go, and what it says is what happens. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { type Connection, connect, explain, withLocal, withRemote } from '../../src/index.ts';
import { cliFile, startAgent, type TestAgent } from '../kit/agent.ts';
import { suite } from '../kit/suite.ts';

const test = suite('scope/explain');
let agent: TestAgent;
let connection: Connection;
test.before(async () => {
  agent = await startAgent();
  connection = await connect(agent.url);
});
test.after(async () => {
  await connection.close();
  await agent.stop();
});

test('outside every scope, and in withLocal, all is here', () => {
  const local = { side: 'local', connection: undefined, rule: 'no scope' };
  assert.deepEqual(explain('/etc/hosts'), local);
  withRemote(connection, () => withLocal(() => assert.deepEqual(explain('/etc/hosts'), local)));
});

test('each rule is named', () => {
  const paths = {
    local: ['/here', '**/*.log'],
    remote: ['/here/but'],
    deny: ['/secret'],
    map: { '/a': '/b' },
  };
  withRemote(connection, { paths, cwd: '/here' }, () => {
    const said = (path: string): string => {
      const { side, connection: to, rule } = explain(path);
      assert.equal(to?.id, side === 'local' ? undefined : connection.id);
      return `${side} ${rule}`;
    };
    assert.equal(said('/here/x'), 'local local /here');
    assert.equal(said('x'), 'local local /here');
    assert.equal(said('/here/but/x'), 'remote remote /here/but');
    assert.equal(said('/var/x.log'), 'local local **/*.log');
    assert.equal(said('/secret/deep'), 'deny deny /secret');
    assert.equal(said('/a/x'), 'remote map /a=/b');
    assert.equal(said('/other'), 'remote default');
  });
});

test('what it says is what happens', () => {
  fs.writeFileSync(`${agent.folder}/there`, 'x');
  const mapped = { map: { '/nowhere': agent.folder }, deny: ['/nowhere/denied'] };
  withRemote(connection, { paths: mapped, stdio: 'local' }, () => {
    assert.equal(explain('/nowhere/there').side, 'remote');
    assert.equal(fs.readFileSync('/nowhere/there', 'utf8'), 'x');
    assert.equal(explain('/nowhere/denied').side, 'deny');
    assert.throws(() => fs.statSync('/nowhere/denied'), { code: 'EACCES' });
  });
});

test('addresses and modules', () => {
  withRemote(connection, { patches: ['net'] }, () => {
    assert.equal(explain({ host: 'db', port: 5432 }).side, 'remote');
    assert.deepEqual(explain('/x').rule, 'the scope leaves fs here');
    assert.equal(explain({ module: 'fs' }).side, 'local');
  });
});

test('other subjects are refused', () => {
  for (const wrong of ['', {}, null, 7, { host: 'x' }])
    assert.throws(() => explain(wrong as never), { code: 'ERR_ELSEWHERE_ARGUMENT' });
});

test('the command prints the same', () => {
  const run = (...args: string[]): string[] => {
    const { stdout, stderr } = spawnSync(
      process.execPath,
      [cliFile, 'explain', '--on', agent.url, ...args],
      { encoding: 'utf8' },
    );
    assert.equal(stderr, '');
    return stdout.trim().split('\n');
  };
  const [path = '', denied = '', address = ''] = run(
    '--deny',
    '/secret',
    '/x',
    '/secret/y',
    'db:5432',
  );
  assert.match(path, /^\/x: remote \(.*\), by default$/);
  assert.equal(denied, '/secret/y: deny, by deny /secret');
  assert.match(address, /^db:5432: remote/);
  const [line = ''] = run('--json', '--program', cliFile, '/dev/null');
  const { peer: _peer, ...rest } = JSON.parse(line) as Record<string, unknown>;
  assert.deepEqual(rest, { subject: '/dev/null', side: 'local', rule: 'local /dev' });
});

test.run();

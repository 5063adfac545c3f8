import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs, { mkdirSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { type Connection, connect, uninstall, withLocal, withRemote } from '../../src/index.ts';
import { startAgent, type TestAgent } from '../kit/agent.ts';
import { suite } from '../kit/suite.ts';

const test = suite('patches/process');
let agent: TestAgent;
let conn: Connection;

test.before(async () => {
  Object.assign(process.env, { SHARED: 'there', ONLY_THERE: 'x', ELSEWHERE_TOKEN: 'secret' });
  agent = await startAgent();
  delete process.env['ONLY_THERE'];
  process.env['SHARED'] = 'here';
  conn = await connect(agent.url);
});
test.after(async () => {
  await conn.close();
  await agent.stop();
});

test('cwd and chdir: for the scope alone, and Node’s error', () => {
  const before = process.cwd();
  mkdirSync(join(agent.folder, 'sub'));
  writeFileSync(join(agent.folder, 'file'), '');
  withRemote(conn, () => {
    assert.equal(process.cwd(), agent.folder);
    process.chdir('sub');
    assert.equal(process.cwd(), join(agent.folder, 'sub'));
    assert.equal(withLocal(process.cwd), before);
    assert.throws(() => process.chdir('../file'), {
      code: 'ENOTDIR',
      syscall: 'chdir',
      path: join(agent.folder, 'sub'),
      dest: '../file',
      message: `ENOTDIR: not a directory, chdir '${join(agent.folder, 'sub')}' -> '../file'`,
    });
    assert.throws(() => process.chdir(1 as never), { code: 'ERR_INVALID_ARG_TYPE' });
  });
  withRemote(conn, () => assert.equal(process.cwd(), agent.folder));
  assert.equal(process.cwd(), before);
});

test('env: local, remote, merged, none; a copy for each scope', () => {
  const see = () => [process.env['SHARED'], process.env['ONLY_THERE'], process.env['PATH']];
  const PATH = process.env['PATH'];
  assert.deepEqual(withRemote(conn, see), ['here', undefined, PATH]);
  assert.deepEqual(withRemote(conn, { env: 'none' }, see), [undefined, undefined, undefined]);
  process.env['PATH'] = `${PATH}:/mine`;
  assert.deepEqual(withRemote(conn, { env: 'remote' }, see), ['there', 'x', PATH]);
  assert.deepEqual(withRemote(conn, { env: 'merged' }, see), ['there', 'x', `${PATH}:/mine`]);
  process.env['PATH'] = PATH;
  withRemote(conn, { env: 'remote' }, () => {
    process.env['COUNT'] = 3 as never;
    assert.equal(process.env['COUNT'], '3');
    assert.ok('COUNT' in process.env && Object.keys(process.env).includes('COUNT'));
    delete process.env['COUNT'];
    assert.equal(process.env['COUNT'], undefined);
    assert.throws(() => ((process.env as Record<symbol, unknown>)[Symbol('s')] = 1), TypeError);
    process.env = { ALL: 'new' };
    assert.deepEqual({ ...process.env }, { ALL: 'new' });
    assert.equal(withRemote(conn, see)[0], 'there', 'a scope inside has the same choice');
  });
  assert.equal(process.env['SHARED'], 'here');
  assert.throws(() => withRemote(conn, { env: 'all' as never }, see), /env is 'local'/);
  assert.throws(
    () => withRemote(conn, { env: 'remote', patches: ['net'] }, see),
    /needs the patch/,
  );
});

test('env: the agent keeps its own secrets', () => {
  withRemote(conn, { env: 'remote' }, () => {
    assert.deepEqual(
      Object.keys(process.env).filter((name) => name.startsWith('ELSEWHERE_')),
      [],
    );
  });
});

/** Row D8 of the attack list. */
const ACTING = {
  NODE_OPTIONS: '--no-warnings',
  NODE_TLS_REJECT_UNAUTHORIZED: '0',
  NODE_EXTRA_CA_CERTS: '/far/ca',
  LD_PRELOAD: '',
  BASH_ENV: '/far/env',
  HTTP_PROXY: 'http://far:1',
  https_proxy: 'http://far:1',
  SSLKEYLOGFILE: '/far/keys',
  GIT_SSH_COMMAND: 'far',
  PYTHONPATH: '/far',
  npm_config_registry: 'http://far',
};

test('env: what makes programs load code or trust others is never taken from the far side', async () => {
  const given = {
    ...ACTING,
    NODE_ENV: 'far',
    LDAP_URL: 'far',
    PATH: `${process.env['PATH']}:/far`,
  };
  const prefix = ['env', ...Object.entries(given).map(([name, value]) => `${name}=${value}`)];
  const hostile = await startAgent({ prefix });
  const there = await connect(hostile.url);
  const show = ['-p', 'JSON.stringify(process.env)'];
  for (const env of ['remote', 'merged'] as const) {
    withRemote(there, { env, except: ['child_process'] }, () => {
      const child = JSON.parse(String(execFileSync(process.execPath, show)));
      const second = JSON.parse(
        String(execFileSync(process.execPath, show, { env: { ...process.env, PATH: '/mine' } })),
      );
      for (const [name, value] of Object.entries(ACTING))
        for (const seen of [process.env, child, second])
          assert.ok(seen[name] !== value || value === '', `${env} ${name}`);
      for (const seen of [process.env, child]) {
        assert.equal(seen['NODE_ENV'], 'far');
        assert.equal(seen['LDAP_URL'], 'far');
      }
      assert.equal(child.PATH.includes('/far'), false, 'programs here are found as ever');
      assert.equal(second.PATH, '/mine', 'but where the program says otherwise');
    });
  }
  assert.equal(process.env['NODE_ENV'], undefined);
  await there.close();
  await hostile.stop();
});

test('env: programs started there have all of it', async () => {
  const hostile = await startAgent({
    prefix: ['env', 'BASH_ENV=/far/env', 'PATH=/usr/bin:/bin:/far'],
  });
  const there = await connect(hostile.url);
  const shown = withRemote(there, () => String(execFileSync('/usr/bin/env')));
  assert.match(shown, /BASH_ENV=\/far\/env/);
  assert.match(shown, /PATH=.*:\/far/);
  await there.close();
  await hostile.stop();
});

test('loadEnvFile reads the scope’s file into the scope’s environment', () => {
  writeFileSync(join(agent.folder, '.env'), 'FROM_FILE=1\nSHARED=file\n');
  withRemote(conn, { env: 'merged' }, () => {
    process.loadEnvFile();
    assert.deepEqual([process.env['FROM_FILE'], process.env['SHARED']], ['1', 'there']);
    assert.throws(() => process.loadEnvFile('nowhere'), { code: 'ENOENT' });
  });
  assert.equal(process.env['FROM_FILE'], undefined);
});

test('where a client has a process of its own, its users and groups are changed', async ({
  skip,
}) => {
  if (process.getuid?.() !== 0) skip('only root may');
  const isolated = await startAgent({ args: ['--isolate'] });
  const own = await connect(isolated.url);
  try {
    await withRemote(own, async () => {
      const { setegid, seteuid, getegid, geteuid, setgroups, getgroups } =
        process as Required<NodeJS.Process>;
      setgroups([65534]);
      setegid(65534);
      seteuid(65534);
      assert.deepEqual([getegid(), geteuid()], [65534, 65534]);
      assert.deepEqual(getgroups(), [65534]);
      assert.throws(() => fs.readFileSync('/etc/shadow'), { code: 'EACCES' });
      await assert.rejects(fs.promises.readFile('/etc/shadow'), { code: 'EACCES' });
      assert.throws(() => setgroups([1]), { code: 'EPERM', syscall: 'setgroups' });
      assert.throws(() => seteuid('nobody of that name'), { code: 'ERR_UNKNOWN_CREDENTIAL' });
    });
    assert.equal(process.geteuid?.(), 0);
    const next = await connect(isolated.url);
    assert.equal(
      withRemote(next, () => process.geteuid?.()),
      0,
    );
    await next.close();
  } finally {
    await own.close();
    await isolated.stop();
  }
});

test('users and groups are the agent’s; what would change the agent for others throws', () => {
  const { getuid, setuid, setgroups, umask } = process as Required<NodeJS.Process>;
  const { initgroups } = process as unknown as { initgroups(): void };
  assert.equal(typeof withRemote(conn, getuid), 'number');
  withRemote(conn, () => {
    assert.deepEqual(process.getgroups?.(), process.getgroups?.().map(Number));
    assert.equal(process.umask(), process.umask(process.umask()));
    assert.throws(() => umask('x'), { code: 'ERR_INVALID_ARG_VALUE' });
    assert.throws(() => setuid('nobody'), { code: 'ERR_ELSEWHERE_UNSUPPORTED' });
    assert.throws(() => setuid('nobody of that name'), {
      code: 'ERR_UNKNOWN_CREDENTIAL',
      message: 'User identifier does not exist: nobody of that name',
    });
    assert.throws(() => setgroups(['root', 'no such group']), { code: 'ERR_UNKNOWN_CREDENTIAL' });
    assert.throws(() => setuid({} as never), { code: 'ERR_INVALID_ARG_TYPE' });
    assert.throws(() => setuid(-1), { code: 'ERR_OUT_OF_RANGE' });
    assert.throws(() => setgroups([1, {}] as never), { code: 'ERR_INVALID_ARG_TYPE' });
    assert.throws(() => initgroups(), { code: 'ERR_INVALID_ARG_TYPE' });
  });
});

test('pid and memory are this program’s, platform and clocks the far side’s', async () => {
  const { pid } = process;
  const [seconds] = process.hrtime();
  withRemote(conn, () => {
    assert.equal(process.pid, pid);
    assert.equal(process.platform, conn.peer.platform);
    assert.equal(process.arch, conn.peer.arch);
    const start = process.hrtime();
    assert.ok(Math.abs(start[0] - seconds) < 5, 'one machine, one clock');
    const [passed, nanoseconds] = process.hrtime(start);
    assert.ok(passed === 0 && nanoseconds > 0 && nanoseconds < 1e9);
    assert.throws(() => process.hrtime(1 as never), { code: 'ERR_INVALID_ARG_TYPE' });
    assert.equal(typeof process.hrtime.bigint(), 'bigint');
  });
  const far = Number(await conn.eval('process.uptime()'));
  assert.ok(Math.abs(withRemote(conn, () => process.uptime()) - far) < 1);
});

test('what is active: far sockets, servers and operations, and nothing of the toolkit’s own', async () => {
  const inside = process as unknown as Record<
    '_getActiveHandles' | '_getActiveRequests',
    () => object[]
  >;
  // Calls in a burst leave together in the next turns of the loop, each an immediate; they keep no program alive for longer.
  const names = (): string[] =>
    process
      .getActiveResourcesInfo()
      .filter((name) => name !== 'Immediate')
      .sort();
  const before = names();
  await withRemote(conn, { stdio: 'local' }, async () => {
    const accepted: net.Socket[] = [];
    const server = net
      .createServer((socket) => accepted.push(socket.on('error', () => undefined)))
      .listen(0);
    const { port } = server.address() as net.AddressInfo;
    const client = net.connect(port, '127.0.0.1');
    await Promise.all([once(server, 'connection'), once(client, 'connect')]);
    assert.deepEqual(
      names().filter((name) => !before.includes(name)),
      ['TCPServerWrap', 'TCPSocketWrap', 'TCPSocketWrap'],
    );
    const handles = inside._getActiveHandles();
    for (const item of [server, client, accepted[0]])
      assert.ok(item !== undefined && handles.includes(item));
    const operations = (): number =>
      inside._getActiveRequests().filter(({ constructor: { name } }) => name === 'FSReqCallback')
        .length;
    // What this machine's own loader has under way counts too.
    const others = operations();
    const look = new Promise((resolve) => fs.stat('.', resolve));
    assert.equal(operations(), others + 1);
    await look;
    assert.equal(operations(), others);
    client.destroy();
    server.close();
    for (const socket of accepted) socket.destroy();
    await once(server, 'close');
  });
  assert.deepEqual(names(), before);
});

test('kill reaches processes of the far side, and never this one', async () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  const ended = once(child, 'exit');
  withRemote(conn, () => {
    assert.equal(process.kill(child.pid as number, 0), true);
    assert.equal(process.kill(process.pid, 0), true);
    process.kill(child.pid as number, 'SIGKILL');
    assert.throws(() => process.kill(1, 'SIGNO'), { code: 'ERR_UNKNOWN_SIGNAL' });
  });
  assert.deepEqual(await ended, [null, 'SIGKILL']);
  await new Promise((resolve) => setTimeout(resolve, 50));
  withRemote(conn, () => {
    assert.throws(() => process.kill(child.pid as number), {
      code: 'ESRCH',
      syscall: 'kill',
      message: 'kill ESRCH',
    });
  });
});

test('uninstall gives everything back, and keeps what the program assigned', () => {
  const own = { MINE: '1' };
  const real = process.env;
  withRemote(conn, () => undefined);
  process.env = own;
  uninstall();
  assert.equal(process.env, own);
  assert.ok(Object.getOwnPropertyDescriptor(process, 'platform')?.value !== undefined);
  process.env = real;
});

test.run();

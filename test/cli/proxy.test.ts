// `elsewhere proxy`: the command around the proxy.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { cliFile, elsewhere, startAgent, type TestAgent } from '../kit/agent.ts';
import { suite } from '../kit/suite.ts';
import { askSocks, socksRequest, startEcho } from '../proxy/stage.ts';

const test = suite('cli/proxy', { limit: 20_000, fileLimit: 60_000 });
let agent: TestAgent;
let echo: Awaited<ReturnType<typeof startEcho>>;

test.before(async () => {
  [agent, echo] = await Promise.all([startAgent(), startEcho()]);
});
test.after(async () => {
  await agent.stop();
  echo.server.close();
});

interface Command {
  readonly child: ChildProcess;
  /** The first line of standard output. */
  readonly line: string;
  stderr(): string;
}

async function start(url: string, ...args: string[]): Promise<Command> {
  const child = spawn(process.execPath, [cliFile, 'proxy', url, ...args], { stdio: 'pipe' });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  child.stdout.setEncoding('utf8');
  const [line] = (await once(child.stdout, 'data')) as [string];
  return { child, line: line.split('\n')[0] ?? '', stderr: () => stderr };
}

async function codeOf(child: ChildProcess): Promise<number | null> {
  return ((await once(child, 'exit')) as [number | null])[0];
}

test('all four ways at once, told as JSON; ends with SIGTERM', async () => {
  const { child, line, stderr } = await start(
    agent.url,
    ...['--socks', '0', '--http', '127.0.0.1:0', '--json', '--trace'],
    ...['-L', `0:127.0.0.1:${echo.port}`, '-L', `[::1]:0:localhost:${echo.port}`],
    ...['-R', `0:127.0.0.1:${echo.port}`],
  );
  const { socks, http, forward, reverse } = JSON.parse(line) as Record<string, net.AddressInfo> & {
    forward: net.TcpNetConnectOpts[];
    reverse: net.TcpNetConnectOpts[];
  };
  assert.equal(forward[1]?.host, '::1');
  assert.equal(reverse.length, 1);
  assert.ok(http !== undefined);
  const { socket, answer } = await askSocks(
    socks?.port ?? 0,
    socksRequest(1, '127.0.0.1', echo.port),
  );
  assert.equal(answer[1], 0);
  socket.destroy();
  while (!stderr().includes('->')) await once(child.stderr ?? assert.fail(), 'data');
  assert.match(
    stderr(),
    new RegExp(`socks 127\\.0\\.0\\.1:\\d+ -> 127\\.0\\.0\\.1:${echo.port}\n`),
  );
  child.kill('SIGTERM');
  assert.equal(await codeOf(child), 0);
});

test('prints URLs, and what fails', async () => {
  const { child, line, stderr } = await start(agent.url, '--socks', '0');
  assert.match(line, /^socks5h:\/\/127\.0\.0\.1:\d+$/);
  await askSocks(Number(new URL(line).port), socksRequest(1, '127.0.0.1', 1));
  while (!stderr().includes('refused')) await once(child.stderr ?? assert.fail(), 'data');
  assert.match(stderr(), /socks \S+: 127\.0\.0\.1:1 is not reached from the far side/);
  child.kill('SIGINT');
  assert.equal(await codeOf(child), 0);
});

test('on a terminal the last line counts, once a second', async ({ skip }) => {
  if (spawnSync('script', ['--version']).status !== 0) skip('the program script is not there');
  const command = `${process.execPath} ${cliFile} proxy '${agent.url}' -L 0:127.0.0.1:${echo.port}`;
  const child = spawn('script', ['-qfec', command, '/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, SHELL: '/bin/sh', TERM: 'xterm' },
  });
  let shown = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (shown += text));
  const shows = async (pattern: RegExp): Promise<RegExpExecArray> => {
    for (;;) {
      const found = pattern.exec(shown);
      if (found !== null) return found;
      await once(child.stdout, 'data');
    }
  };
  const [, port] = await shows(/127\.0\.0\.1:(\d+) leads to/);
  const socket = net.connect(Number(port), '127.0.0.1');
  socket.write(Buffer.alloc(1_500_000));
  await shows(/1 open, 1 in all, 0 failed {3}up 1\.5 MB \(.*\/s\) {3}down /);
  socket.resume().end();
  await shows(/0 open, 1 in all, 0 failed {3}up 1\.5 MB \(.*\/s\) {3}down 1\.5 MB/);
  child.stdin.write('\x03');
  await once(child, 'exit');
});

test('ends with 69 when the agent has ended', async () => {
  const own = await startAgent();
  const { child } = await start(own.url, '--socks', '0');
  const ended = codeOf(child);
  await own.stop('SIGKILL');
  assert.equal(await ended, 69);
});

test('wrong options say what is right', async () => {
  for (const [args, code, text] of [
    [['--socks', 'x'], 2, /--socks needs PORT or HOST:PORT/],
    [['-L', '80:b'], 2, /-L needs PORT:HOST:PORT/],
    [['-R', '/tmp/x.sock:a:80'], 2, /-R needs PORT:HOST:PORT/],
    [['--socks', '*:0'], 77, /refusing to listen on \[::\]:0.*--public/],
  ] as const) {
    const ended = await elsewhere(['proxy', agent.url, ...args]);
    assert.match(ended.stderr, text);
    assert.equal(ended.code, code);
  }
});

test.run();

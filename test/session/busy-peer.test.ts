// A thread that computes answers nobody. On one machine the system tells that it does; elsewhere a second thread gives signs
// of life. Here the processes do not know each other by pid, as if they were on two machines.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, serve } from '../../src/index.ts';
import { cliFile, startAgent } from '../kit/agent.ts';
import { suite } from '../kit/suite.ts';

const test = suite('session/busy-peer', { limit: 30_000, fileLimit: 120_000 });
const HEARTBEAT = 600;
/** Milliseconds: more than twice what a silent peer is given. */
const BUSY = 2500;

/** Gives a process a namespace of pids that nobody else has. */
const ELSEWHERE = `data:text/javascript,${encodeURIComponent(`
  import fs from 'node:fs';
  import { syncBuiltinESMExports } from 'node:module';
  const { readlinkSync } = fs;
  fs.readlinkSync = (path, ...rest) => path === '/proc/self/ns/pid' ? 'pid:[1]' : readlinkSync(path, ...rest);
  syncBuiltinESMExports();`)}`;
const prefix = ['env', `NODE_OPTIONS=--import=${ELSEWHERE}`];
/** Milliseconds for the second thread to start on a busy machine; with a heartbeat as it is by default it need not hurry. */
const START = 700;
const busyFor = (ms: number): string =>
  `for (const until = performance.now() + ${ms}; performance.now() < until;);`;

const computing = `eval(${JSON.stringify(`${busyFor(BUSY)} 42`)})`;

test('an agent that computes is not taken for frozen, one that is stopped is', async ({ skip }) => {
  if (process.platform !== 'linux') skip('only Linux has namespaces of pids');
  const agent = await startAgent({ listen: 'tcp://127.0.0.1:0', prefix });
  const conn = await connect(agent.url, { heartbeat: HEARTBEAT });
  const lost: Error[] = [];
  const down = new Promise<void>((resolve) => {
    conn.on('down', (error) => resolve(void lost.push(error)));
  });
  await sleep(START);
  assert.equal(await conn.eval(computing), 42);
  assert.deepEqual(lost, []);
  agent.process.kill('SIGSTOP');
  await down;
  assert.match(String(lost[0]), /not even an answer to a heartbeat/);
  const up = new Promise((resolve) => conn.on('up', resolve));
  agent.process.kill('SIGCONT');
  await up;
  await conn.close();
  await agent.stop();
});

/** An agent far from this process on the pipes of a command. */
function piped(): string {
  const words = [...prefix, process.execPath, cliFile, 'serve', '--stdio'];
  return `exec:${words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ')}`;
}

test('so it is over every kind of link that is not encrypted', async ({ skip }) => {
  if (process.platform !== 'linux') skip('only Linux has namespaces of pids');
  const kinds = {
    ws: { listen: 'ws://127.0.0.1:0' },
    unix: { listen: `unix:/tmp/busy-${process.pid}` },
    'a process of its own': { listen: 'tcp://127.0.0.1:0', args: ['--isolate'] },
  };
  const agents = await Promise.all(
    Object.values(kinds).map((choices) => startAgent({ ...choices, prefix })),
  );
  const urls = [...agents.map(({ url }) => url), piped()];
  const conns = await Promise.all(urls.map((url) => connect(url, { heartbeat: HEARTBEAT })));
  const lost: unknown[] = [];
  for (const [i, conn] of conns.entries())
    for (const event of ['down', 'lost'] as const)
      conn.on(event, () => lost.push(Object.keys(kinds)[i] ?? 'exec'));
  await sleep(START);
  assert.deepEqual(await Promise.all(conns.map((conn) => conn.eval(computing))), [42, 42, 42, 42]);
  assert.deepEqual(lost, []);
  await Promise.all(conns.map((conn) => conn.close()));
  await Promise.all(agents.map((agent) => agent.stop()));
});

/** A client of its own process, far from this one. */
function startClient(url: string, body: string): ChildProcess {
  const index = new URL('../../src/index.js', import.meta.url).href;
  const source = `
    import { connect } from ${JSON.stringify(index)};
    const conn = await connect(${JSON.stringify(url)}, { heartbeat: 0 });
    console.log('connected');
    await new Promise((resolve) => setTimeout(resolve, ${START}));
    ${body}
    await conn.ping().catch((error) => console.log(error.message));
    console.log(conn.state);
    await conn.close();`;
  return spawn(process.execPath, ['--import', ELSEWHERE, '--input-type=module', '-e', source], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

test('a client that computes for longer than its session has grace keeps it, one that is stopped does not', async ({
  skip,
}) => {
  if (process.platform !== 'linux') skip('only Linux has namespaces of pids');
  await using server = await serve({
    listen: 'tcp://127.0.0.1:0',
    heartbeat: HEARTBEAT,
    grace: 200,
  });
  let said = '';
  const busy = startClient(server.url, busyFor(BUSY));
  busy.stdout?.on('data', (chunk) => (said += chunk));
  await once(busy, 'close');
  assert.equal(said, 'connected\nup\n');
  const stopped = startClient(server.url, 'setInterval(() => undefined, 1000);');
  await once(stopped.stdout as NonNullable<typeof stopped.stdout>, 'data');
  const gone = new Promise((resolve) => server.on('disconnect', resolve));
  stopped.kill('SIGSTOP');
  await gone;
  stopped.kill('SIGKILL');
});

test.run();

// When all is lost: what was pending settles at once, each thing in its own way, and tells the truth.
import assert from 'node:assert/strict';
import childProcess, { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import { connect, withRemote } from '../../src/index.ts';
import { startAgent } from '../kit/agent.ts';
import { startChaos } from '../kit/chaos.ts';
import { suite } from '../kit/suite.ts';

const test = suite('session/loss', { limit: 30_000, fileLimit: 120_000 });
const LOST = 'ERR_ELSEWHERE_CONNECTION_LOST';

type Failure = Error & { code?: string; maybeExecuted?: boolean };

/** What it fails with, and how many milliseconds after `since`. */
async function failure(work: Promise<unknown>, since: Promise<number>): Promise<[Failure, number]> {
  const error = await work.then(
    () => assert.fail('it succeeded'),
    (reason: Failure) => reason,
  );
  return [error, performance.now() - (await since)];
}

test("onDisconnect: 'fail': the first loss of the link is the connection's, and pending calls say so at once", async () => {
  const agent = await startAgent({ listen: 'tcp://127.0.0.1:0' });
  const url = new URL(agent.url);
  const chaos = await startChaos({ target: Number(url.port), seed: 1, life: 0 });
  url.port = String(chaos.port);
  const conn = await connect(url.href, { onDisconnect: 'fail' });
  const told: string[] = [];
  for (const event of ['down', 'up', 'lost'] as const) conn.on(event, () => told.push(event));
  const pending = conn.eval('new Promise(() => {})');
  await conn.ping();
  const cut = Promise.resolve(performance.now());
  chaos.cut();
  const [error, ms] = await failure(pending, cut);
  assert.deepEqual([error.code, error.maybeExecuted], [LOST, true]);
  assert.ok(ms < 1000, `${ms} ms`);
  await conn.closed;
  assert.deepEqual([told, conn.state], [['lost'], 'closed']);
  await assert.rejects(conn.eval('1'), { code: 'ERR_ELSEWHERE_CLOSED', maybeExecuted: false });
  await chaos.close();
  await agent.stop();
});

test('sockets end with ECONNRESET, files with EIO, children with SIGHUP, calls as lost, all within a second', async () => {
  const agent = await startAgent({ listen: 'tcp://127.0.0.1:0' });
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  childProcess.execFileSync('mkfifo', [`${agent.folder}/fifo`]);
  const conn = await connect(agent.url);
  const lost = new Promise<number>((resolve) => conn.on('lost', () => resolve(performance.now())));
  const { file, fifo, socket, child } = await withRemote(conn, { except: ['stdio'] }, async () => ({
    file: await fs.promises.open('/proc/self/mem', 'r'),
    fifo: await fs.promises.open('fifo', 'r+'),
    socket: net.connect(port, '127.0.0.1'),
    child: childProcess.spawn('sleep', ['60']),
  }));
  await Promise.all([once(socket, 'connect'), once(child, 'spawn')]);
  const exit = once(child, 'exit');
  const works = {
    call: conn.eval('new Promise(() => {})'),
    read: fifo.read(Buffer.alloc(1), 0, 1, null),
    socket: once(socket, 'data'),
    output: once(child.stdout, 'data').then(() => undefined),
  };
  const ended = once(child.stdout, 'close');
  await conn.ping();
  agent.process.kill('SIGKILL');
  const [call, callTime] = await failure(works.call, lost);
  const [read, readTime] = await failure(works.read, lost);
  const [reset, resetTime] = await failure(works.socket, lost);
  assert.deepEqual([call.code, call.maybeExecuted], [LOST, true]);
  assert.deepEqual([read.code, (read.cause as Failure | undefined)?.code], ['EIO', LOST]);
  assert.deepEqual([reset.code, (reset.cause as Failure | undefined)?.code], ['ECONNRESET', LOST]);
  assert.deepEqual(await exit, [null, 'SIGHUP']);
  void works.output.catch(() => undefined);
  await ended;
  const last = performance.now() - (await lost);
  for (const ms of [callTime, readTime, resetTime, last]) assert.ok(ms < 1000, `${ms} ms`);
  await assert.rejects(file.read(Buffer.alloc(1), 0, 1, 0), { code: 'EIO' });
  server.close();
  await agent.stop();
});

test('a signal stops the far side at once, and what the work held is given back', async () => {
  const agent = await startAgent({ listen: 'tcp://127.0.0.1:0' });
  const conn = await connect(agent.url);
  const handles = (): number => fs.readdirSync(`/proc/${agent.process.pid}/fd`).length;
  // Both processes have one clock. The least of some tries is not the scheduler's.
  const delays: number[] = [];
  for (let i = 0; i < 8 && !(Math.min(...delays) < 100); i++) {
    const stop = new AbortController();
    const work = conn.eval(
      `new Promise((_, reject) => signal.addEventListener('abort', () => {
        globalThis.stopped = Date.now();
        reject(signal.reason);
      }))`,
      { signal: stop.signal },
    );
    await conn.ping();
    const aborted = Date.now();
    stop.abort();
    await assert.rejects(work);
    delays.push((await conn.eval<number>('globalThis.stopped')) - aborted);
  }
  assert.ok(Math.min(...delays) < 100, String(delays));
  // A read that would never end.
  const before = handles();
  const stop = new AbortController();
  const endless = withRemote(conn, { except: ['stdio'] }, () =>
    fs.createReadStream('/dev/zero', { signal: stop.signal }).resume(),
  );
  await once(endless, 'data');
  assert.ok(handles() > before);
  stop.abort();
  await assert.rejects(once(endless, 'end'), { name: 'AbortError' });
  while (handles() > before) await conn.ping();
  await conn.close();
  await agent.stop();
});

for (const sync of ['socket', 'worker'] as const) {
  test(`SIGTERM and SIGINT end a process that is blocked in a call: ${sync}`, async () => {
    const agent = await startAgent({ listen: 'tcp://127.0.0.1:0' });
    const index = new URL('../../src/index.js', import.meta.url).href;
    const source = `
      import fs from 'node:fs';
      import { connect } from ${JSON.stringify(index)};
      const conn = await connect(${JSON.stringify(agent.url)}, { sync: '${sync}' });
      conn.sync.modules.os.hostname();
      fs.writeSync(1, 'blocked soon');
      conn.channel.requestSync('classic.eval', [[null, 'new Promise(() => {})']]);`;
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await once(child.stdout, 'data');
      const calls = async (): Promise<void> => {
        const conn = await connect(agent.url);
        await conn.close();
      };
      await calls();
      child.kill(signal);
      assert.deepEqual(await once(child, 'exit'), [null, signal]);
    }
    await agent.stop();
  });
}

test.run();

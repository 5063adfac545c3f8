// A thread that waits on a link of its own has no event loop to notice that nobody answers: it looks by itself.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { BlockingDialler } from '../../src/connection/blocking-open.ts';
import { LastingLink, type LinkOpener } from '../../src/connection/lasting-link.ts';
import { connect, withRemote } from '../../src/index.ts';
import { parseEndpoint } from '../../src/transport/endpoint.ts';
import { Kind } from '../../src/wire/message.ts';
import { startAgent } from '../kit/agent.ts';
import { suite } from '../kit/suite.ts';

const test = suite('connection/blocking-watch', { limit: 30_000 });
const HEARTBEAT = 200;

/**
 * Something like an agent: sends a packet to whoever comes, answers `answers` pings, then another packet if it is asked
 * to speak, else it stops itself. Its process and port.
 */
async function standIn(answers: number, speaks: boolean): Promise<[ChildProcess, string]> {
  const packet = (kind: number, text: string): string => {
    const body = Buffer.from(text);
    const head = Buffer.alloc(5);
    head.writeUInt32LE(body.length + 1);
    head[4] = kind;
    return JSON.stringify([...head, ...body]);
  };
  const script = `
    let pings = 0;
    const server = require('node:net').createServer((socket) => {
      socket.write(Buffer.from(${packet(Kind.WELCOME, '{}')}));
      socket.on('error', () => undefined).on('data', (chunk) => {
        if (chunk[4] !== ${Kind.PING}) return;
        if (++pings > ${answers} && !${speaks}) process.kill(process.pid, 'SIGSTOP');
        socket.write(Buffer.from(${packet(Kind.PONG, '')}));
        if (pings > ${answers}) socket.write(Buffer.from(${packet(Kind.RPC, 'answer')}));
      });
    });
    server.listen(0, '127.0.0.1', () => console.log(server.address().port));`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  return [child, String((await lines.next()).value)];
}

function linkTo(port: string, dialler: BlockingDialler, opened: () => void): LastingLink {
  const opener: LinkOpener = {
    open: () => {
      opened();
      return dialler.open(parseEndpoint(`tcp://127.0.0.1:${port}`, 'listen'));
    },
    *handshake() {
      yield 'receive';
      return { received: 0 };
    },
    timeout: 500,
    heartbeat: HEARTBEAT,
    isNear: () => false,
    hopeless: () => false,
    patience: () => 0,
  };
  return new LastingLink(opener);
}

for (const prefer of ['socket', 'worker'] as const) {
  test(`${prefer}: a peer that answers pings is waited for`, async () => {
    const [child, port] = await standIn(6, true);
    const dialler = new BlockingDialler({ timeout: 500, prefer });
    let links = 0;
    const link = linkTo(port, dialler, () => links++);
    link.connect();
    const { kind, body } = link.receive();
    assert.deepEqual([kind, Buffer.from(body).toString(), links], [Kind.RPC, 'answer', 1]);
    link.close('');
    dialler.close();
    child.kill('SIGKILL');
    await once(child, 'exit');
  });

  test(`${prefer}: one that has stopped is given up and dialled again, and the wait has an end`, async () => {
    const [child, port] = await standIn(2, false);
    const dialler = new BlockingDialler({ timeout: 500, prefer });
    let links = 0;
    const link = linkTo(port, dialler, () => links++);
    link.connect();
    const began = performance.now();
    // The second link comes to be, for the system accepts it; nobody is behind it.
    assert.throws(() => link.receive(), { code: 'ERR_ELSEWHERE_TIMEOUT' });
    const took = performance.now() - began;
    assert.equal(links, 2);
    // Two pings were answered, then come five looks, and a handshake of half a second.
    assert.ok(took > 3.5 * HEARTBEAT && took < 25_000, `${took} ms`);
    link.close('');
    dialler.close();
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
}

test('a blocking call to an agent that is stopped ends after its grace, and one to an agent that goes on in time is answered', async () => {
  for (const thaws of [true, false]) {
    const agent = await startAgent({ listen: 'tcp://127.0.0.1:0' });
    const options = { sync: 'worker', heartbeat: HEARTBEAT, timeout: 1000 } as const;
    const conn = await connect(agent.url, { ...options, grace: thaws ? 60_000 : 500 });
    withRemote(conn, { except: ['stdio'] }, () => conn.sync.modules.os.hostname());
    const { pid } = agent.process;
    const waker = spawn('sh', [
      '-c',
      `kill -STOP ${pid}; sleep 2; ${thaws ? `kill -CONT ${pid}` : ''}`,
    ]);
    const stopped = (): boolean =>
      /\) T/.test(conn.sync.modules.fs.readFileSync('/proc/self/stat', 'utf8'));
    const calls = (): void => {
      for (const until = performance.now() + 3000; performance.now() < until; ) stopped();
    };
    if (thaws) calls();
    else assert.throws(calls, { code: 'ERR_ELSEWHERE_CONNECTION_LOST', maybeExecuted: true });
    await once(waker, 'exit').catch(() => undefined);
    agent.process.kill('SIGCONT');
    await conn.close();
    await agent.stop();
  }
});

test.run();

// Links are cut again and again; nothing that goes over them may be lost, doubled or changed.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { withRemote } from '../../src/index.ts';
import { startAgent } from '../kit/agent.ts';
import { randomNumbers } from '../kit/random-numbers.ts';
import { suite } from '../kit/suite.ts';
import { onStage } from './stage.ts';

// Links of so short a life cost a busy machine many attempts.
const test = suite('session/resume', { limit: 120_000, fileLimit: 300_000 });

for (const scheme of ['ws', 'tcp'] as const) {
  test(`${scheme}: every call is executed exactly once, whatever happens to its links`, () =>
    onStage(scheme, { life: 30, seed: 7 }, async ({ chaos, conn }) => {
      await conn.execute('globalThis.seen = []');
      const numbers = Array.from({ length: 2000 }, (_, i) => i);
      const answers: unknown[] = [];
      await Promise.all(
        Array.from({ length: 20 }, async (_, worker) => {
          for (const i of numbers.filter((n) => n % 20 === worker))
            answers.push(await conn.eval(`(seen.push(${i}), ${i})`));
        }),
      );
      while (chaos.broken < 40) answers.push(await conn.eval('-1'));
      assert.deepEqual(answers.filter((n) => n !== -1).sort(byNumber), numbers);
      assert.deepEqual(((await conn.eval('seen')) as number[]).sort(byNumber), numbers);
      assert.equal(conn.stats().pendingCalls, 0);
    }));

  test(`${scheme}: blocking calls come back with the right answer, and in their order`, () =>
    onStage(scheme, { life: 25, seed: 3 }, async ({ agent, chaos, conn }) => {
      for (let round = 0; chaos.broken < 20; round++) {
        const written = withRemote(conn, { except: ['stdio'] }, () => {
          // On the main lane, in the same tick: the blocking call must not overtake it.
          const promise = fs.promises.writeFile('later.txt', String(round));
          // When an assertion below fails, that is the failure to report.
          promise.catch(() => undefined);
          fs.appendFileSync('log.txt', `${round}\n`);
          assert.equal(fs.readFileSync('later.txt', 'utf8'), String(round));
          return promise;
        });
        await written;
        await sleep(1);
      }
      const lines = fs.readFileSync(join(agent.folder, 'log.txt'), 'utf8').trim().split('\n');
      assert.deepEqual(
        lines,
        lines.map((_, i) => String(i)),
      );
    }));
}

const byNumber = (a: unknown, b: unknown): number => Number(a) - Number(b);

test('files and sockets arrive byte for byte', () =>
  onStage('tcp', { life: 60, seed: 5 }, async ({ agent, chaos, conn }) => {
    const random = randomNumbers(11);
    const content = Buffer.from(Array.from({ length: 1 << 20 }, () => random() * 256));
    const big = Buffer.concat(Array.from({ length: 24 }, () => content));
    fs.writeFileSync(join(agent.folder, 'big'), big);
    const echo = net.createServer((peer) => peer.pipe(peer)).listen(0, '127.0.0.1');
    await once(echo, 'listening');
    const { port } = echo.address() as net.AddressInfo;
    const echoed = async (): Promise<string> => {
      const socket = withRemote(conn, () => net.connect(port, '127.0.0.1'));
      const hash = createHash('sha1');
      socket.end(content);
      for await (const chunk of socket) hash.update(chunk as Buffer);
      return hash.digest('hex');
    };
    const copied = async (): Promise<void> => {
      await withRemote(conn, { except: ['stdio'] }, async () => {
        const out = fs.createWriteStream('copy');
        fs.createReadStream('big').pipe(out);
        await once(out, 'close');
      });
      assert.ok(fs.readFileSync(join(agent.folder, 'copy')).equals(big));
    };
    const expected = createHash('sha1').update(content).digest('hex');
    do {
      const [, ...hashes] = await Promise.all([copied(), echoed(), echoed(), echoed()]);
      assert.deepEqual(hashes, [expected, expected, expected]);
    } while (chaos.broken < 20);
    echo.close();
    assert.equal(conn.stats().streams, 0);
  }));

test('tells of the pause, and open files stay open over it', () =>
  onStage('ws', {}, async ({ chaos, conn, agent }) => {
    fs.writeFileSync(join(agent.folder, 'file'), 'abcdef');
    const told: string[] = [];
    conn.on('down', () => told.push(`down ${conn.state}`));
    conn.on('up', () => told.push(`up ${conn.state}`));
    conn.on('lost', () => told.push('lost'));
    const file = await withRemote(conn, () => fs.promises.open('file', 'r'));
    const first = Buffer.alloc(3);
    await file.read(first, 0, 3, null);
    const up = new Promise((resolve) => conn.on('up', resolve));
    chaos.cut();
    await up;
    const second = Buffer.alloc(3);
    await file.read(second, 0, 3, null);
    assert.equal(`${first}${second}`, 'abcdef');
    await file.close();
    assert.deepEqual(told, ['down down', 'up up']);
  }));

test('an agent that is started anew is known at once, and pending calls learn their fate', () =>
  onStage('tcp', {}, async ({ agent, chaos, conn }) => {
    const token = agent.url.split('#')[1] ?? '';
    const pending = conn.eval('new Promise(() => {})');
    await conn.ping();
    const refused = assert.rejects(pending, {
      code: 'ERR_ELSEWHERE_CONNECTION_LOST',
      maybeExecuted: true,
    });
    // Another agent takes the place of the first behind the proxy's port.
    const port = Number(new URL(agent.url).port);
    agent.process.kill('SIGSTOP');
    chaos.cut();
    agent.process.kill('SIGKILL');
    const file = join(agent.folder, 'token');
    fs.writeFileSync(file, token, { mode: 0o600 });
    const next = await startAgent({
      listen: `tcp://127.0.0.1:${port}`,
      args: ['--token-file', file],
    });
    await refused;
    assert.match(String(await conn.closed), /connection to the agent was lost/);
    await next.stop();
  }));

test('after its grace the agent gives everything back', () =>
  onStage('tcp', { grace: 0, agentGrace: 0.3 }, async ({ agent, chaos, conn }) => {
    fs.writeFileSync(join(agent.folder, 'file'), 'x');
    const descriptors = (): string[] => {
      const folder = `/proc/${agent.process.pid}/fd`;
      return fs.readdirSync(folder).map((fd) => link(join(folder, fd)));
    };
    const path = join(agent.folder, 'file');
    const { fd } = await withRemote(conn, () => fs.promises.open(path, 'r+'));
    assert.ok(fd > 0);
    assert.ok(descriptors().includes(path));
    chaos.cut();
    await conn.closed;
    assert.ok(descriptors().includes(path), 'for its grace it is kept');
    while (descriptors().includes(path)) await sleep(20);
  }));

function link(path: string): string {
  try {
    return fs.readlinkSync(path);
  } catch {
    return '';
  }
}

test.run();

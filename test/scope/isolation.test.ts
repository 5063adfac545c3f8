import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import { type AddressInfo, createServer, connect as dial } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Connection, connect, withRemote } from '../../src/index.ts';
import { startAgent, type TestAgent } from '../kit/agent.ts';
import { fc } from '../kit/random.ts';
import { ownerOf } from '../kit/socket-owner.ts';
import { suite } from '../kit/suite.ts';

const test = suite('scope/isolation', { limit: 60_000 });
let agents: TestAgent[];
let connections: Connection[];

test.before(async () => {
  agents = await Promise.all([startAgent(), startAgent({ listen: 'tcp://127.0.0.1:0' })]);
  connections = await Promise.all(agents.map(({ url }) => connect(url)));
});
test.after(async () => {
  await Promise.all(connections.map((conn) => conn.close()));
  await Promise.all(agents.map((agent) => agent.stop()));
});

type Step = 'sync' | 'async' | 'stream' | 'fetch' | 'http' | 'socket' | 'pause';
const STEPS: readonly Step[] = ['sync', 'async', 'stream', 'fetch', 'http', 'socket', 'pause'];

/** 200 interleaved scopes: two far sides and local code, each doing its steps in its own time. */
test('200 interleaved scopes never touch the wrong side', async () => {
  const folder = fs.mkdtempSync(join(process.cwd(), 'build', 'isolation-'));
  const seen = new Set<string>();
  const pids = new Map([
    ['local', process.pid],
    ['A', agents[0]?.process.pid ?? 0],
    ['B', agents[1]?.process.pid ?? 0],
  ]);
  // Tells each caller whose socket it came with.
  const server = http
    .createServer((request, response) => response.end(ownerOf(request.socket, pids)))
    .listen(0, '127.0.0.1');
  // On a busy machine a socket would else be closed as idle just when it is used again.
  server.keepAliveTimeout = 60_000;
  const lines = createServer((socket) => socket.end(`${ownerOf(socket, pids)}\n`)).listen(
    0,
    '127.0.0.1',
  );
  await Promise.all([once(server, 'listening'), once(lines, 'listening')]);
  const { port } = server.address() as AddressInfo;
  const linePort = (lines.address() as AddressInfo).port;
  const agent = new http.Agent({ keepAlive: true, maxSockets: 50 });

  const claim = (side: string, owner: string): void => {
    assert.equal(owner, side);
    seen.add(side);
  };
  const work: Record<Step, (name: string, side: string) => unknown> = {
    sync: (name) => {
      fs.writeFileSync(name, name);
      assert.equal(fs.readFileSync(name, 'utf8'), name);
    },
    async: async (name) => {
      await fs.promises.writeFile(`${name}.a`, name);
      assert.equal(await fs.promises.readFile(`${name}.a`, 'utf8'), name);
    },
    stream: async (name) => {
      const out = fs.createWriteStream(`${name}.s`);
      out.end(name);
      await once(out, 'close');
    },
    fetch: async (_name, side) =>
      claim(side, await (await fetch(`http://127.0.0.1:${port}/`)).text()),
    http: (_name, side) =>
      new Promise<void>((resolve, reject) => {
        http
          .get({ port, host: '127.0.0.1', agent }, (response) => {
            response
              .setEncoding('utf8')
              .on('data', (text: string) => claim(side, text))
              .on('end', resolve);
          })
          .on('error', reject);
      }),
    socket: async (_name, side) => {
      const socket = dial(linePort, '127.0.0.1').setEncoding('utf8');
      const [data] = await once(socket, 'data');
      claim(side, String(data).trim());
      // One that is still open when its connection closes is reset, with nobody to hear of it.
      socket.destroy();
    },
    pause: () => sleep(1),
  };

  const sides = ['local', 'A', 'B'] as const;
  const plans = fc.sample(
    fc.record({
      side: fc.constantFrom(...sides),
      steps: fc.array(fc.constantFrom(...STEPS), { minLength: 2, maxLength: 5 }),
    }),
    200,
  );
  const local = process.cwd();
  await Promise.all(
    plans.map(async ({ side, steps }, i) => {
      const run = async (): Promise<void> => {
        const base = side === 'local' ? `${folder}/` : '';
        for (const step of steps) await work[step](`${base}f${i}-${side}`, side);
      };
      if (side === 'local') await run();
      else
        await withRemote(
          connections[side === 'A' ? 0 : 1] as Connection,
          { except: ['stdio'] },
          run,
        );
    }),
  );

  const found = {
    local: fs.readdirSync(folder),
    A: fs.readdirSync(agents[0]?.folder ?? ''),
    B: fs.readdirSync(agents[1]?.folder ?? ''),
  };
  for (const side of sides)
    assert.deepEqual(
      found[side].filter((name) => !new RegExp(`-${side}(\\.|$)`).test(name)),
      [],
    );
  assert.equal(process.cwd(), local);
  assert.equal(seen.size, 3, 'sockets of all sides were seen');
  agent.destroy();
  server.close();
  lines.close();
  fs.rmSync(folder, { recursive: true });
});

test.run();

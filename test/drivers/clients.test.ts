// ssh2, undici and eventsource know nothing of scopes: on each side they do what they do here, by sockets of that side.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { Client, type ClientChannel, type SFTPWrapper } from 'ssh2';
import { repository, runProgram } from '../kit/agent.ts';
import { sshdMissing, startTestSshd, type TestSshd } from '../kit/sshd.ts';
import { suite } from '../kit/suite.ts';
import { threeSides } from '../patches/three-sides.ts';
import { everywhere, whose } from './everywhere.ts';
import { packageOf, pathOf } from './packages.ts';

const test = suite('drivers/clients', { limit: 30_000, fileLimit: 60_000 });
const sides = threeSides(test);
const { on, owner } = sides;
let sshd: TestSshd | undefined;
const web = http.createServer({ keepAliveTimeout: 60_000 });
const sockets = new Map<Socket, string>();
let url = '';

test.before(async () => {
  web.on('request', (request, response) => {
    const side = sockets.get(request.socket) ?? owner(request.socket);
    sockets.set(request.socket, side);
    if (request.url === '/echo') return void request.pipe(response);
    if (request.url !== '/events') return void setImmediate(() => response.end(side));
    response.setHeader('content-type', 'text/event-stream');
    response.write(`id: 7\nevent: whose\ndata: ${side}\n\n`);
  });
  web.listen(0, '127.0.0.1');
  await once(web, 'listening');
  url = `http://127.0.0.1:${(web.address() as AddressInfo).port}`;
  if (sshdMissing() === undefined) sshd = await startTestSshd();
});
test.after(() => {
  web.closeAllConnections();
  web.close();
  sshd?.stop();
});

const promised = <T>(give: (done: (error: Error | undefined, value: T) => void) => unknown) =>
  new Promise<T>((resolve, reject) => {
    give((error, value) => (error ? reject(error) : resolve(value)));
  });

test('ssh2: commands, files by sftp, a forwarded port', async ({ skip }) => {
  if (sshd === undefined) return skip(sshdMissing() ?? 'sshd did not start');
  const { port, key } = sshd;
  const said = await everywhere(sides, async (side) => {
    const client = new Client();
    client.connect({
      host: '127.0.0.1',
      port,
      username: 'root',
      // The scope's file system is the agent's.
      privateKey: await on('local', async () => readFileSync(key)),
    });
    await once(client, 'ready');
    const run = async (command: string): Promise<string> =>
      text(await promised<ClientChannel>((done) => client.exec(command, done)));
    const [, from] = (await run('echo $SSH_CONNECTION')).split(' ');
    const owners = [whose(sides, Number(from), port)];
    const sftp = await promised<SFTPWrapper>((done) => client.sftp(done));
    const file = `/tmp/elsewhere-ssh2-${process.pid}-${side}`;
    const sent = Buffer.alloc(2_000_000, side);
    await promised<void>((done) => sftp.writeFile(file, sent, (e) => done(e ?? undefined)));
    const back = await promised<Buffer>((done) => sftp.readFile(file, done));
    await promised<void>((done) => sftp.unlink(file, (e) => done(e ?? undefined)));
    const missing = await promised((done) => sftp.stat(file, done)).catch((e: Error) => e.message);
    const far = await promised<ClientChannel>((done) =>
      client.forwardOut('127.0.0.1', 1, '127.0.0.1', Number(new URL(url).port), done),
    );
    far.end('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    const page = (await text(far)).split('\r\n')[0];
    client.end();
    await once(client, 'close');
    return { owners, said: [sent.equals(back), missing, page] };
  });
  assert.deepEqual(said, [true, 'No such file', 'HTTP/1.1 200 OK']);
});

interface Response {
  readonly statusCode: number;
  readonly body: { text(): Promise<string> };
}
interface Undici {
  request(url: string, options?: object): Promise<Response>;
  Agent: new (options?: object) => { close(): Promise<void> };
  Pool: new (
    origin: string,
    options?: object,
  ) => { request(options: object): Promise<Response>; close(): Promise<void> };
}

test('undici: agents and pools of one’s own, bodies, errors', async (context) => {
  const { request, Agent, Pool } = packageOf<Undici>(context, 'undici');
  await everywhere(sides, async () => {
    const dispatcher = new Agent({ connections: 2 });
    const owners = await Promise.all(
      Array.from({ length: 6 }, async () => (await request(url, { dispatcher })).body.text()),
    );
    const body = Buffer.alloc(3_000_000, 'up and down');
    const up = { method: 'POST', body, dispatcher };
    const echoed = await (await request(`${url}/echo`, up)).body.text();
    await dispatcher.close();
    const pool = new Pool(url, { pipelining: 4, connections: 1 });
    const more = await Promise.all(
      Array.from({ length: 8 }, async () =>
        (await pool.request({ path: '/', method: 'GET' })).body.text(),
      ),
    );
    await pool.close();
    const refused = await request('http://127.0.0.1:1').catch((e) => [
      e.message,
      ...Object.entries(e),
    ]);
    return { owners: [...owners, ...more], said: [echoed === String(body), refused] };
  });
});

for (const name of ['undici', 'undici-8'])
  for (const before of ['', 'await on.A(async () => (await fetch(url)).text());'])
    test(`${name}, loaded ${before && 'after a fetch '}and used at once: a default pool for each side`, async (context) => {
      if (name === 'undici-8' && Number.parseInt(process.versions.node, 10) < 22)
        context.skip('this Node is too old for it');
      const { stdout, stderr } = await runProgram(process.execPath, ['-e', program(before)], {
        cwd: repository,
        env: {
          UNDICI: pathOf(context, name),
          TARGET: url,
          AGENTS: [sides.agents.A.url, sides.agents.B.url].join(' '),
        },
      });
      const owners = Array.from({ length: 24 }, (_, at) => (at % 4 === 0 ? 'B' : 'A'));
      assert.equal(stdout, `${[...owners, 'mine', 'mine'].join(' ')}\n`, stderr);
    });

/** Requests of A and B by npm's undici and by Node's own fetch, at once and then one after another. */
const program = (before: string): string => `
  (async () => {
    const { bindScope, connect, withRemote } = require('elsewhere');
    const url = process.env.TARGET;
    const on = {};
    for (const [at, agent] of process.env.AGENTS.split(' ').entries())
      on['AB'[at]] = withRemote(await connect(agent), { except: ['stdio'] }, () => bindScope((fn) => fn()));
    ${before}
    const { request, fetch: other } = require(process.env.UNDICI);
    const ways = [async () => (await request(url)).body.text(), async () => (await fetch(url)).text(), async () => (await other(url)).text()];
    const round = () => Array.from({ length: 12 }, (_, at) => () => on[at % 4 ? 'A' : 'B'](ways[at % 3]));
    const said = await Promise.all(round().map((ask) => ask()));
    for (const ask of round()) said.push(await ask());
    for (const way of [ways[0], ways[1]]) said.push((await way()).startsWith('nobody') ? 'mine' : 'not mine');
    console.log(said.join(' '));
    process.exit();
  })();`;

interface Source {
  addEventListener(
    name: string,
    listener: (event: { data: string; lastEventId: string }) => void,
  ): void;
  onerror: ((event: unknown) => void) | null;
  close(): void;
}

test('eventsource: named events', async (context) => {
  const { EventSource } = packageOf<{ EventSource: new (url: string) => Source }>(
    context,
    'eventsource',
  );
  await everywhere(sides, async () => {
    const source = new EventSource(`${url}/events`);
    const event = await new Promise<{ data: string; lastEventId: string }>((resolve, reject) => {
      source.onerror = reject;
      source.addEventListener('whose', resolve);
    });
    source.close();
    return { owners: [event.data], said: event.lastEventId };
  });
});

test.run();

/**
 * What people reach for through a firewall, each from a namespace that has no way to it: sites, databases, names, datagrams,
 * and a server that is listened on over there. Nothing of it may leave by the near side's own network: nftables counts.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repository, runProgram, startAgent, type TestAgent } from './kit/agent.ts';
import * as certificates from './kit/certificates.ts';
import { Namespaces } from './kit/namespaces.ts';
import { type Postgres, startPostgres } from './kit/postgres.ts';
import { suite } from './kit/suite.ts';

const test = suite('firewall-services', { limit: 30_000 });
const net = new Namespaces('s');
const PORTS = { http: 8080, https: 8443, postgres: 5432, redis: 6379, udp: 8053, back: 9090 };
let agent: TestAgent;
let postgres: Postgres | string;
const hasRedis = spawnSync('redis-server', ['--version']).status === 0;

/** Runs on C. */
const services = (postgresSocket: string): string => `
  const net = require('node:net');
  const visit = (done) => net.connect(${PORTS.back}, '10.77.2.2').on('data', (d) => done(String(d))).on('error', (e) => done(e.code));
  require('node:http').createServer((q, r) => q.url === '/visit' ? visit((said) => r.end(said)) : r.end('the page of C')).listen(${PORTS.http}, '10.77.2.3');
  require('node:https').createServer(${JSON.stringify(certificates.agent)}, (q, r) => r.end('the private site')).listen(${PORTS.https}, '10.77.2.3');
  const udp = require('node:dgram').createSocket('udp4');
  udp.on('message', (m, from) => udp.send(m, from.port, from.address)).bind(${PORTS.udp}, '10.77.2.3');
  net.createServer((s) => { const db = net.connect(${JSON.stringify(postgresSocket)}); s.pipe(db).pipe(s); s.on('error', () => db.destroy()); db.on('error', () => s.destroy()); })
    .listen(${PORTS.postgres}, '10.77.2.3', () => console.log('ready'));`;

test.before(async ({ skip }) => {
  const refused = net.build();
  if (refused !== undefined) skip(refused);
  if (spawnSync('nft', ['--version']).status !== 0) skip('there is no nft');
  postgres = await startPostgres(PORTS.postgres);
  const socket =
    typeof postgres === 'string' ? '/nowhere' : join(postgres.folder, `.s.PGSQL.${PORTS.postgres}`);
  const onC = spawn('ip', ['netns', 'exec', net.C, process.execPath, '-e', services(socket)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  net.undo(() => onC.kill('SIGKILL'));
  await once(onC.stdout, 'data');
  if (hasRedis) await startRedis();
  // `ip netns exec` lays these over /etc.
  const etc = `/etc/netns/${net.B}`;
  mkdirSync(etc, { recursive: true });
  net.undo(() => rmSync(etc, { recursive: true, force: true }));
  writeFileSync(join(etc, 'hosts'), '127.0.0.1 localhost\n10.77.2.3 inner.elsewhere.test\n');
  agent = await startAgent({
    listen: `unix:/tmp/elsewhere-services-${process.pid}.sock`,
    prefix: ['ip', 'netns', 'exec', net.B],
  });
  countPackets();
});

test.after(async () => {
  await agent?.stop();
  if (typeof postgres === 'object') await postgres.stop();
  net.remove();
});

async function startRedis(): Promise<void> {
  const options = ['--port', `${PORTS.redis}`, '--bind', '10.77.2.3', '--save', ''];
  const more = ['--protected-mode', 'no', '--dir', '/tmp'];
  const redis = spawn('ip', ['netns', 'exec', net.C, 'redis-server', ...options, ...more], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  net.undo(() => redis.kill('SIGKILL'));
  let said = '';
  while (!said.includes('Ready to accept')) said += (await once(redis.stdout, 'data'))[0];
  redis.stdout.resume();
}

/** What leaves A by its own network for one of the ports, or for a name server. */
function countPackets(): void {
  const ports = [...Object.values(PORTS), 53].join(', ');
  const rules = `table inet seen { chain out { type filter hook output priority 0;
    oifname != "lo" tcp dport { ${ports} } counter
    oifname != "lo" udp dport { ${ports} } counter
    }
  }
`;
  execFileSync('ip', ['netns', 'exec', net.A, 'nft', '-f', '-'], { input: rules });
}

function packetsSeen(): number {
  const list = ['netns', 'exec', net.A, 'nft', 'list', 'table', 'inet', 'seen'];
  const counters = execFileSync('ip', list, { encoding: 'utf8' }).matchAll(/packets (\d+)/g);
  return [...counters].reduce((sum, [, count]) => sum + Number(count), 0);
}

/** Runs a module on A; what it writes, as JSON. */
async function onA(source: string): Promise<unknown> {
  const file = join(repository, 'build', `firewall-services-${process.pid}.mjs`);
  writeFileSync(file, source);
  net.undo(() => rmSync(file, { force: true }));
  const command = ['netns', 'exec', net.A, process.execPath, file, agent.url];
  const { stdout, stderr, code } = await runProgram('ip', command);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

/** Each named task, in the scope or outside of it. */
const program = (inside: boolean): string => `
  import dgram from 'node:dgram';
  import dns from 'node:dns/promises';
  import { once } from 'node:events';
  import https from 'node:https';
  import net from 'node:net';
  import pg from 'pg';
  import { text } from 'node:stream/consumers';
  import { connect, withRemote } from 'elsewhere';
  const tasks = {
    page: async () => (await fetch('http://10.77.2.3:${PORTS.http}/')).text(),
    named: async () => (await fetch('http://inner.elsewhere.test:${PORTS.http}/')).text(),
    lookup: async () => (await dns.lookup('inner.elsewhere.test')).address,
    site: async () => {
      const options = { host: '10.77.2.3', port: ${PORTS.https}, servername: 'localhost', ca: ${JSON.stringify(certificates.authority)}, agent: false };
      const [answer] = await once(https.get(options), 'response');
      return text(answer);
    },
    postgres: async () => {
      const db = new pg.Client({ host: '10.77.2.3', port: ${PORTS.postgres}, user: 'test', database: 'postgres' });
      await db.connect();
      const { rows } = await db.query('select 6 * 7 as answer');
      await db.end();
      return rows[0].answer;
    },
    redis: async () => {
      const socket = net.connect(${PORTS.redis}, '10.77.2.3').setEncoding('utf8');
      socket.write('SET place elsewhere\\r\\nGET place\\r\\nQUIT\\r\\n');
      return text(socket);
    },
    datagram: async () => {
      const socket = dgram.createSocket('udp4');
      socket.send('echo', ${PORTS.udp}, '10.77.2.3', (error) => error && socket.emit('error', error));
      try {
        const [message] = await once(socket, 'message');
        return String(message);
      } finally {
        socket.close();
      }
    },
    server: async () => {
      const server = net.createServer((visitor) => visitor.end('the server of A')).listen(${PORTS.back}, '10.77.2.2');
      await once(server, 'listening');
      const said = await (await fetch('http://10.77.2.3:${PORTS.http}/visit')).text();
      server.close();
      return said;
    },
  };
  const conn = await connect(process.argv[2]);
  const all = async () => Object.fromEntries(await Promise.all(Object.entries(tasks).map(
    async ([name, task]) => [name, await task().catch((e) => (e.cause ?? e).code ?? String(e))])));
  process.stdout.write(JSON.stringify(await ${inside ? "withRemote(conn, { stdio: 'local' }, all)" : 'all()'}));
  await conn.close();`;

test('inside the scope all of it works, and no packet of it leaves by the near network', async () => {
  const found = (await onA(program(true))) as Record<string, unknown>;
  const expected: Record<string, unknown> = {
    page: 'the page of C',
    named: 'the page of C',
    lookup: '10.77.2.3',
    site: 'the private site',
    postgres: 42,
    redis: '+OK\r\n$9\r\nelsewhere\r\n+OK\r\n',
    datagram: 'echo',
    server: 'the server of A',
  };
  // Without these programs there is nothing to ask; CI installs them.
  if (typeof postgres === 'string') expected['postgres'] = found['postgres'];
  if (!hasRedis) expected['redis'] = found['redis'];
  assert.deepEqual(found, expected);
  assert.equal(packetsSeen(), 0);
});

test('outside of it nothing is reached', async () => {
  const found = Object.values((await onA(program(false))) as Record<string, unknown>);
  for (const result of found)
    assert.match(String(result), /^(?:ENETUNREACH|EAI_AGAIN|ENOTFOUND|EADDRNOTAVAIL)$/);
});

test('the counters do count', () => {
  // B is A's neighbour, where nobody listens on that port.
  const script = `require('node:net').connect(${PORTS.http}, '10.77.1.2').on('error', () => undefined)`;
  execFileSync('ip', ['netns', 'exec', net.A, process.execPath, '-e', script]);
  assert.ok(packetsSeen() > 0);
});

test.run();

// Names are resolved on the far side: by its hosts file, and by queries that it sends.
import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import dns, { promises as dnsPromises } from 'node:dns';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Connection, connect, withRemote } from '../../src/index.ts';
import { startAgent, type TestAgent } from '../kit/agent.ts';
import { ownerOf } from '../kit/socket-owner.ts';
import { suite } from '../kit/suite.ts';

const test = suite('patches/dns', { limit: 20_000 });
const folder = mkdtempSync(join(tmpdir(), 'elsewhere-dns-'));
let agent: TestAgent;
let conn: Connection;
const nameServer = dgram.createSocket('udp4');
/** The ports that asked the name server. */
const askers: number[] = [];

test.before(async () => {
  const hosts = join(folder, 'hosts');
  writeFileSync(
    hosts,
    '127.0.0.1 localhost\n127.0.0.9 only-there.example\n::1 localhost six.example\n',
  );
  // Root may give the agent a hosts file of its own.
  const prefix =
    process.getuid?.() === 0
      ? ['unshare', '-m', 'sh', '-c', `mount --bind ${hosts} /etc/hosts && exec "$@"`, 'sh']
      : [];
  agent = await startAgent({ prefix });
  conn = await connect(agent.url);
  nameServer.on('message', (question, { port }) => {
    askers.push(port);
    nameServer.send(answer(question), port, '127.0.0.1');
  });
  nameServer.bind(0, '127.0.0.1');
  await once(nameServer, 'listening');
});
test.after(async () => {
  nameServer.close();
  await conn.close();
  await agent.stop();
  rmSync(folder, { recursive: true });
});

const there = <R>(fn: () => R): R => withRemote(conn, { except: ['stdio'] }, fn);

/** A name server that knows one name, and three kinds of records of it. */
function answer(question: Buffer): Buffer {
  const { name, end } = nameIn(question);
  const type = question.readUInt16BE(end);
  const records: Record<number, Buffer> = {
    1: Buffer.from([10, 9, 8, 7]),
    15: Buffer.from([0, 5, 0xc0, 12]),
    16: Buffer.from('\x05hello'),
  };
  const data = name === 'known.example' ? records[type] : undefined;
  const head = Buffer.from(question.subarray(0, end + 4));
  head.writeUInt16BE(data === undefined ? 0x8183 : 0x8180, 2);
  head.writeUInt16BE(data === undefined ? 0 : 1, 6);
  head.writeUInt32BE(0, 8);
  if (data === undefined) return head;
  const record = Buffer.alloc(12);
  record.writeUInt16BE(0xc00c, 0);
  record.writeUInt16BE(type, 2);
  record.writeUInt16BE(1, 4);
  record.writeUInt32BE(60, 6);
  record.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, record, data]);
}

function nameIn(question: Buffer): { name: string; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = question[at] ?? 0; length > 0; length = question[at] ?? 0) {
    labels.push(question.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.').toLowerCase(), end: at + 1 };
}

const isOwnHostsFile = (): boolean => process.getuid?.() === 0;

test('the far side’s hosts file, in every form', async ({ skip }) => {
  if (!isOwnHostsFile()) skip('a hosts file of its own needs root');
  const name = 'only-there.example';
  const found = await there(() =>
    Promise.all([
      dnsPromises.lookup(name),
      promisify(dns.lookup)(name),
      dnsPromises.lookup(name, { all: true }),
      dnsPromises.lookup('six.example', 6),
      dnsPromises.lookupService('127.0.0.9', 22),
    ]),
  );
  const one = { address: '127.0.0.9', family: 4 };
  assert.deepEqual(found, [
    one,
    one,
    [one],
    { address: '::1', family: 6 },
    { hostname: name, service: 'ssh' },
  ]);
  await assert.rejects(dnsPromises.lookup(name), { syscall: 'getaddrinfo', hostname: name });
});

test('a socket connects to the name that only the far side knows', async ({ skip }) => {
  if (!isOwnHostsFile()) skip('a hosts file of its own needs root');
  const server = net.createServer((socket) => socket.end('found'));
  await once(server.listen(0, '127.0.0.9'), 'listening');
  const { port } = server.address() as AddressInfo;
  const socket = there(() => net.connect(port, 'only-there.example').setEncoding('utf8'));
  const looked = once(socket, 'lookup');
  assert.deepEqual(await once(socket, 'data'), ['found']);
  assert.deepEqual(await looked, [null, '127.0.0.9', 4, 'only-there.example']);
  server.close();
});

test('the side is selectable: names are asked here, sockets are over there, and the other way round', async ({
  skip,
}) => {
  if (!isOwnHostsFile()) skip('a hosts file of its own needs root');
  const server = net.createServer((socket) => {
    const pids = [['here', process.pid] as const, ['there', agent.process.pid ?? 0] as const];
    socket.end(ownerOf(socket, new Map(pids)));
  });
  await once(server.listen(0, '127.0.0.9'), 'listening');
  const { port } = server.address() as AddressInfo;
  const name = 'only-there.example';
  await withRemote({ net: conn, dns: 'local' }, async () => {
    await assert.rejects(dnsPromises.lookup(name), { hostname: name });
    await assert.rejects(once(net.connect(port, name), 'data'), { hostname: name });
    assert.equal(String((await once(net.connect(port, '127.0.0.9'), 'data'))[0]), 'there');
  });
  await withRemote({ dns: conn }, async () => {
    assert.equal((await dnsPromises.lookup(name)).address, '127.0.0.9');
    assert.equal(String((await once(net.connect(port, name), 'data'))[0]), 'here');
  });
  server.close();
});

/** What a promise gives, in a form that can be compared. */
const outcome = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (value) => value,
    (error: Error) => [error.name, error.message, Object.entries(error)],
  );

test('localhost and addresses are never asked over there', async () => {
  const own = await connect(agent.url);
  const before = own.stats().packetsSent;
  await withRemote(own, { stdio: 'local' }, async () => {
    for (const name of ['localhost', 'LOCALHOST.', 'app.localhost', '127.0.0.1', '::1'])
      await dnsPromises
        .lookup(name)
        .catch((error: NodeJS.ErrnoException) => assert.equal(error.code, 'ENOTFOUND'));
    assert.equal((await dnsPromises.lookup('localhost', { family: 4 })).address, '127.0.0.1');
  });
  assert.equal(own.stats().packetsSent, before);
  await own.close();
});

test('errors are the ones that they are here', async () => {
  const failures = async (): Promise<unknown[]> => {
    const resolver = new dnsPromises.Resolver({ tries: 1, timeout: 500 });
    resolver.setServers([`127.0.0.1:${nameServer.address().port}`]);
    return Promise.all(
      [
        dnsPromises.lookup('no-such-host.invalid'),
        promisify(dns.lookup)('no-such-host.invalid', { family: 6 }),
        resolver.resolve4('unknown.example'),
        resolver.resolveMx('unknown.example'),
        resolver.reverse('10.1.2.3'),
        promisify(dns.lookupService)('192.0.2.1', 1),
      ].map(outcome),
    );
  };
  const local = await failures();
  const sent = conn.stats().packetsSent;
  assert.deepEqual(await there(failures), local);
  assert.ok(conn.stats().packetsSent > sent, 'nothing was asked of the far side');
});

test('arguments are refused at once, as here', () => {
  const refusals = (): unknown[] =>
    [
      () => dns.lookup('x', 7 as never, () => undefined),
      () => dns.lookup(3 as never, () => undefined),
      () => dns.lookupService('not an address', 1, () => undefined),
      () => dns.resolve4(undefined as never, () => undefined),
      () => new dns.Resolver().setServers(['nonsense:x:y']),
    ].map((fn) => {
      try {
        fn();
        return 'accepted';
      } catch (error) {
        return [(error as NodeJS.ErrnoException).code, (error as Error).message];
      }
    });
  assert.deepEqual(there(refusals), refusals());
});

test('queries leave from the far side, to the servers that the program names', async () => {
  const resolver = new dnsPromises.Resolver();
  resolver.setServers([`127.0.0.1:${nameServer.address().port}`]);
  const all = (): Promise<unknown[]> =>
    Promise.all([
      resolver.resolve4('known.example'),
      resolver.resolve4('known.example', { ttl: true }),
      // Node 24 adds the type.
      resolver.resolveMx('known.example').then(([mx]) => [mx?.exchange, mx?.priority]),
      resolver.resolveTxt('known.example'),
    ]);
  const sent = conn.stats().packetsSent;
  const asked = askers.length;
  const remote = await there(all);
  assert.deepEqual(remote, [
    ['10.9.8.7'],
    [{ address: '10.9.8.7', ttl: 60 }],
    ['known.example', 5],
    [['hello']],
  ]);
  assert.equal(askers.length - asked, 4);
  assert.ok(conn.stats().packetsSent > sent);
  const after = conn.stats().packetsSent;
  assert.deepEqual(await all(), remote);
  assert.equal(conn.stats().packetsSent, after, 'outside it is asked from here');
  assert.deepEqual(
    there(() => resolver.getServers()),
    resolver.getServers(),
  );
});

test('a query is cancelled', async () => {
  const silent = dgram.createSocket('udp4').bind(0, '127.0.0.1');
  await once(silent, 'listening');
  const resolver = new dnsPromises.Resolver();
  resolver.setServers([`127.0.0.1:${silent.address().port}`]);
  const query = there(() => resolver.resolve4('known.example'));
  const told = once(silent, 'message');
  await told;
  resolver.cancel();
  await assert.rejects(query, { code: 'ECANCELLED', syscall: 'queryA' });
  silent.close();
});

test.run();

// Rules for the network: what each decides, and that it is what happens. Two far sides and this one.
import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import dns from 'node:dns';
import { once } from 'node:events';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { type NetworkOptions, withRemote } from '../../src/index.ts';
import type { NetworkPlace } from '../../src/patch.ts';
import { explain } from '../../src/scope/explain.ts';
import { NetworkRules } from '../../src/scope/network-rules.ts';
import { suite } from '../kit/suite.ts';
import { threeSides } from '../patches/three-sides.ts';

const test = suite('scope/network-rules', { limit: 15_000 });
const sides = threeSides(test);
let server: net.Server;
let port: number;
test.before(async () => {
  server = net.createServer((socket) => {
    socket.on('error', () => undefined);
    socket.end(sides.owner(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as AddressInfo).port;
});
test.after(() => void server.close());

const tcp = (host: string, at = 443): NetworkPlace => ({ protocol: 'tcp', host, port: at });

test('rules by name, network, port and protocol, in this order: deny, remote, via, local', () => {
  const rules = new NetworkRules({
    deny: ['*.bad.corp', '10.9.0.0/16', 'udp://*:53', 'tcp://[fd00::/8]'],
    remote: ['keep.db.corp', '192.168.0.1'],
    local: ['*.db.corp:5000-5999', '192.168.0.0/16', 'localhost:3000', 'unix:/run/here.sock'],
  });
  const said = (place: NetworkPlace): string => rules.decide(place).rule;
  for (const [place, rule] of [
    [tcp('x.bad.corp'), 'deny *.bad.corp'],
    [tcp('X.BAD.corp.'), 'deny *.bad.corp'],
    [tcp('bad.corp'), 'default'],
    [tcp('10.9.1.1'), 'deny 10.9.0.0/16'],
    [tcp('::ffff:10.9.1.1'), 'deny 10.9.0.0/16'],
    [tcp('10.8.1.1'), 'default'],
    [tcp('fd12::1'), 'deny tcp://[fd00::/8]'],
    [{ protocol: 'udp', host: 'ns.example', port: 53 }, 'deny udp://*:53'],
    [tcp('ns.example', 53), 'default'],
    [tcp('a.db.corp', 5432), 'local *.db.corp:5000-5999'],
    [tcp('a.db.corp', 6432), 'default'],
    [tcp('keep.db.corp', 5432), 'remote keep.db.corp'],
    [tcp('192.168.7.7'), 'local 192.168.0.0/16'],
    [tcp('192.168.0.1'), 'remote 192.168.0.1'],
    [tcp('localhost', 3000), 'local localhost:3000'],
    [tcp('127.0.0.1', 3000), 'local localhost:3000'],
    [tcp('::1', 3000), 'local localhost:3000'],
    [tcp('127.0.0.1', 3001), 'default'],
    [{ socketPath: '/run/here.sock' }, 'local unix:/run/here.sock'],
    [{ socketPath: '/run/other.sock' }, 'default'],
    [{ name: 'x.bad.corp' }, 'deny *.bad.corp'],
    // Only some ports: a question for the name alone is not covered.
    [{ name: 'a.db.corp' }, 'default'],
  ] as const)
    assert.equal(said(place), rule, JSON.stringify(place));
  for (const bad of ['10.0.0.0/64', 'a b', 'tcp://', '1234'])
    assert.throws(() => new NetworkRules({ deny: [bad] }), { code: 'ERR_ELSEWHERE_ARGUMENT' });
});

/** Who connects, by the server's word. */
function asked(at: net.NetConnectOpts): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(at);
    socket.on('error', reject).setEncoding('utf8').on('data', resolve);
  });
}

const within = <R>(options: NetworkOptions, fn: () => R): R =>
  withRemote(sides.connections.A, { net: options, stdio: 'local' }, fn);

test('local, remote, another connection; what explain says is what happens', async () => {
  const at = (host: string) => asked({ host, port });
  const told = (host: string): string => {
    const { side, rule, connection } = explain({ host, port });
    return [side, rule, connection?.id === sides.connections.B.id ? 'B' : ''].join(' ').trim();
  };
  await within({}, async () => assert.equal(await at('127.0.0.1'), 'A'));
  await within({ local: [`127.0.0.1:${port}`] }, async () => {
    assert.equal(told('127.0.0.1'), `local local 127.0.0.1:${port}`);
    assert.equal(await at('127.0.0.1'), 'local');
    assert.equal(await at('localhost'), 'local');
  });
  await within({ local: ['localhost'], remote: ['127.0.0.1'] }, async () => {
    assert.equal(await at('127.0.0.1'), 'A');
    assert.equal(told('::1'), 'local local localhost');
  });
  const via = [{ places: [`*:${port}`], remote: sides.connections.B }];
  await within({ via }, async () => {
    assert.equal(told('127.0.0.1'), `remote via *:${port} B`);
    assert.equal(await at('127.0.0.1'), 'B');
    assert.equal(await at('localhost'), 'B');
    // What follows is in the scope as it was.
    await new Promise<void>((resolve, reject) => {
      const socket = net.connect({ host: '127.0.0.1', port }, () => {
        try {
          assert.equal(
            explain({ host: '127.0.0.1', port: 1 }).connection?.id,
            sides.connections.A.id,
          );
          resolve();
        } catch (error) {
          reject(error);
        }
      });
      socket.resume();
    });
  });
  assert.throws(() => within({ via: [{ places: ['*'] } as never] }, () => 0), {
    code: 'ERR_ELSEWHERE_ARGUMENT',
  });
});

test('denied places fail as Node’s connect does, and nothing is asked over there', async () => {
  const before = sides.connections.A.stats().packetsSent;
  await within({ deny: ['*.secret', '127.0.0.1', 'unix:/run/secret'] }, async () => {
    assert.equal(explain({ host: 'a.secret', port: 1 }).side, 'deny');
    for (const [place, address] of [
      [{ host: 'a.secret', port }, 'a.secret'],
      [{ host: '127.0.0.1', port }, '127.0.0.1'],
      [{ path: '/run/secret' }, '/run/secret'],
    ] as const) {
      const error = await asked(place).then(assert.fail, (thrown: NodeJS.ErrnoException) => thrown);
      assert.deepEqual(
        [error.code, error.syscall, (error as { address?: string }).address],
        ['EACCES', 'connect', address],
      );
      assert.equal((error.cause as { code?: string }).code, 'ERR_ELSEWHERE_DENIED');
      assert.match((error.cause as Error).message, /this scope's rule "deny/);
    }
    await assert.rejects(dns.promises.lookup('a.secret'), { code: 'EACCES' });
    await assert.rejects(dns.promises.resolve4('a.secret'), { code: 'EREFUSED' });
  });
  assert.equal(sides.connections.A.stats().packetsSent, before);
});

test('a name that leads to a denied address', async () => {
  await within({ deny: ['127.0.0.0/8', '::1'] }, async () => {
    // Denied as an address: a name for it is found out where it would be dialled.
    const lookup = (
      _host: string,
      options: { all?: boolean },
      done: (...args: unknown[]) => void,
    ) =>
      options.all === true
        ? done(null, [{ address: '127.0.0.1', family: 4 }])
        : done(null, '127.0.0.1', 4);
    await assert.rejects(asked({ host: 'innocent.example', port, lookup: lookup as never }), {
      code: 'EACCES',
    });
  });
});

test('agents of http follow the rules of the scope', async () => {
  const site = http.createServer((request, response) => response.end(sides.owner(request.socket)));
  site.listen(0, '127.0.0.1');
  await once(site, 'listening');
  const url = `http://127.0.0.1:${(site.address() as AddressInfo).port}/`;
  const page = async (): Promise<string> => (await fetch(url)).text();
  const plain = (): Promise<string> =>
    new Promise((resolve) =>
      http.get(url, (answer) => answer.setEncoding('utf8').on('data', resolve)),
    );
  for (const get of [page, plain]) {
    assert.equal(await within({}, get), 'A');
    assert.equal(await within({ local: ['localhost'] }, get), 'local');
    assert.equal(
      await within({ via: [{ places: ['localhost'], remote: sides.connections.B }] }, get),
      'B',
    );
    await assert.rejects(within({ deny: ['localhost'] }, page));
  }
  site.closeAllConnections();
  site.close();
});

test('a datagram socket is on one side: udp://* says which, denied places get EACCES', async () => {
  const target = dgram.createSocket('udp4').bind(0, '127.0.0.1');
  await once(target, 'listening');
  const send = (socket: dgram.Socket): Promise<unknown> =>
    new Promise((resolve) => socket.send('x', target.address().port, '127.0.0.1', resolve));
  // A socket of the far side has a stream there.
  const isRemote = async (socket: dgram.Socket): Promise<boolean> => {
    const before = sides.connections.A.stats().streams;
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    return sides.connections.A.stats().streams > before;
  };
  const here = within({ local: ['udp://*'] }, () => dgram.createSocket('udp4'));
  assert.equal(await isRemote(here), false);
  const there = within({ deny: [`udp://127.0.0.1:${target.address().port}`] }, () =>
    dgram.createSocket('udp4'),
  );
  assert.equal(await isRemote(there), true);
  assert.equal(await send(here), null);
  assert.equal(((await send(there)) as NodeJS.ErrnoException).code, 'EACCES');
  for (const socket of [here, there, target]) socket.close();
});

test.run();

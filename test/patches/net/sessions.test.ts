// What https and tls do over far sockets besides bytes: client certificates, sessions that are resumed, CONNECT and upgrades.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import type net from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import tls from 'node:tls';
import * as certificates from '../../kit/certificates.ts';
import { suite } from '../../kit/suite.ts';
import { SIDES, threeSides } from '../three-sides.ts';

const test = suite('patches/net sessions', { limit: 20_000 });
const { on, owner } = threeSides(test);
const servers: net.Server[] = [];
test.after(() => {
  for (const server of servers) server.close();
});

async function listening(server: net.Server): Promise<number> {
  servers.push(server.listen(0, '127.0.0.1'));
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

const trusted = { host: 'localhost', ca: certificates.authority };

test('a client certificate is asked for, shown and checked', async () => {
  const settings = {
    ...certificates.agent,
    ca: certificates.authority,
    requestCert: true,
    rejectUnauthorized: true,
  };
  const site = https.createServer(settings, ({ socket }, response) => {
    response.end(`${(socket as tls.TLSSocket).getPeerCertificate().subject.CN} ${owner(socket)}`);
  });
  const port = await listening(site);
  const ask = async (own: object): Promise<string> => {
    const request = https.get({ ...trusted, port, agent: false, ...own });
    const [answer] = (await once(request, 'response')) as [http.IncomingMessage];
    return text(answer);
  };
  for (const side of SIDES) {
    assert.equal(await on(side, () => ask(certificates.client)), `client ${side}`);
    await on(side, () => assert.rejects(ask({})));
    await on(side, () => assert.rejects(ask(certificates.stranger)));
  }
});

for (const version of ['TLSv1.2', 'TLSv1.3'] as const)
  test(`${version}: a session is resumed, and an agent keeps those of each side apart`, async () => {
    const settings = { ...certificates.agent, minVersion: version, maxVersion: version };
    const port = await listening(
      tls.createServer(settings, (socket) => socket.on('error', () => undefined).end('x')),
    );
    const dial = async (session?: Buffer): Promise<{ reused: boolean; session: Buffer }> => {
      const socket = tls.connect({ ...trusted, port, ...(session && { session }) });
      const given = once(socket, 'session');
      await once(socket, 'secureConnect');
      const reused = socket.isSessionReused();
      // Which brings no other.
      const [next] = reused ? [session] : await given;
      socket.resume();
      await once(socket, 'close');
      return { reused, session: next as Buffer };
    };
    for (const side of SIDES)
      await on(side, async () => {
        const first = await dial();
        assert.equal(first.reused, false);
        assert.equal((await dial(first.session)).reused, true, side);
      });
    const reused: [string, boolean][] = [];
    const site = https.createServer(settings, ({ socket }, response) => {
      reused.push([owner(socket), (socket as tls.TLSSocket).isSessionReused()]);
      response.end('x');
    });
    const at = await listening(site);
    const agent = new https.Agent({ ...trusted });
    const ask = async (): Promise<void> => {
      const [answer] = await once(https.get({ ...trusted, port: at, agent }), 'response');
      await text(answer as http.IncomingMessage);
    };
    for (const round of [0, 1])
      for (const side of SIDES) {
        await on(side, ask);
        assert.deepEqual(reused.at(-1), [side, round === 1]);
      }
    agent.destroy();
  });

test('CONNECT and an upgrade: the socket that a client gets is the side’s', async () => {
  const site = http.createServer();
  const take = (request: http.IncomingMessage, socket: Socket, head: Buffer): void => {
    const status = request.method === 'CONNECT' ? '200 OK' : '101 Switching Protocols';
    const upgrade = request.method === 'CONNECT' ? '' : 'Connection: Upgrade\r\nUpgrade: own\r\n';
    socket.write(`HTTP/1.1 ${status}\r\n${upgrade}\r\n${owner(socket)} `);
    socket.unshift(head);
    socket.pipe(socket);
  };
  site.on('connect', take).on('upgrade', take);
  const port = await listening(site);
  const upgrade = { headers: { Connection: 'Upgrade', Upgrade: 'own' } };
  const connect = { method: 'CONNECT', path: 'db.corp:5432' };
  for (const side of SIDES)
    for (const [event, options] of [
      ['connect', connect],
      ['upgrade', upgrade],
    ] as const)
      await on(side, async () => {
        const request = http.request({ host: '127.0.0.1', port, ...options }).end();
        const [, socket, head] = (await once(request, event)) as [unknown, Socket, Buffer];
        if (head.length > 0) socket.unshift(head);
        socket.end('mine');
        assert.equal(await text(socket), `${side} mine`);
      });
});

test.run();

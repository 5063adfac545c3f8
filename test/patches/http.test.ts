// http and https in scopes: agents keep sockets alive, and never hand one side's to another.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo, Server, Socket } from 'node:net';
import { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { type NetworkOptions, withRemote } from '../../src/index.ts';
import { suite } from '../kit/suite.ts';
import { selfSigned } from './net/self-signed.ts';
import { SIDES, type Side, threeSides } from './three-sides.ts';

const test = suite('patches/http', { limit: 30_000 });
const { on, owner, connections } = threeSides(test);
const servers: Server[] = [];
test.after(() => {
  for (const server of servers) server.close();
});

type Handler = (request: http.IncomingMessage, response: http.ServerResponse) => void;

async function serve(handler: Handler, secure = false): Promise<number> {
  const server = secure
    ? https.createServer(selfSigned, handler)
    : http.createServer({ keepAliveTimeout: 60_000 }, handler);
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** A server that tells each caller whose socket it came with, after a moment, and which sockets there were. */
async function serveOwner(secure = false): Promise<{ port: number; sockets: Map<Socket, string> }> {
  const sockets = new Map<Socket, string>();
  const port = await serve(({ socket }, response) => {
    const whose = sockets.get(socket) ?? owner(socket);
    sockets.set(socket, whose);
    setImmediate(() => response.end(whose));
  }, secure);
  return { port, sockets };
}

function get(
  options: http.RequestOptions,
  from: typeof http | typeof https = http,
): Promise<string> {
  return new Promise((resolve, reject) => {
    from
      .get({ host: '127.0.0.1', ...options }, (response) => resolve(text(response)))
      .on('error', reject);
  });
}

for (const [name, from] of [
  ['http', http],
  ['https', https],
] as const) {
  test(`${name}: one keep-alive agent serves three sides, each with sockets of its own`, async () => {
    const { port, sockets } = await serveOwner(from === https);
    const agent = new from.Agent({ keepAlive: true, maxSockets: 2 });
    const ask = (side: Side): Promise<void> =>
      on(side, async () =>
        assert.equal(
          await get({ port, agent, ca: selfSigned.cert, servername: 'localhost' } as object, from),
          side,
        ),
      );
    for (let round = 0; round < 3; round++)
      await Promise.all(SIDES.flatMap((side) => [side, side, side, side]).map(ask));
    agent.destroy();
    const counts = SIDES.map((side) => [...sockets.values()].filter((is) => is === side).length);
    assert.deepEqual(counts, [2, 2, 2], 'sockets of each side for 12 requests');
  });
}

test('requests that wait for a socket connect in their own scope, whoever frees it', async () => {
  const { port } = await serveOwner();
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1, maxTotalSockets: 1 });
  const order: Side[] = Array.from({ length: 40 }, (_, i) => SIDES[(i * 7 + (i >> 2)) % 3] as Side);
  const answers = await Promise.all(order.map((side) => on(side, () => get({ port, agent }))));
  agent.destroy();
  assert.deepEqual(answers, order);
});

test('a request made in the answer to another, in its scope, uses the same socket', async () => {
  const { port, sockets } = await serveOwner();
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const asked = await on('A', async () => [await get({ port, agent }), await get({ port, agent })]);
  agent.destroy();
  assert.deepEqual([asked, sockets.size], [['A', 'A'], 1]);
});

for (const [name, from] of [
  ['http', http],
  ['https', https],
] as const) {
  test(`${name}: scopes of one connection share sockets; other connections, rules and names do not`, async () => {
    const { port, sockets } = await serveOwner(from === https);
    const agent = new from.Agent({ keepAlive: true, maxSockets: 1 });
    const ask = (): Promise<string> =>
      get({ port, agent, ca: selfSigned.cert, servername: 'localhost' } as object, from);
    const { A, B } = connections;
    const inScope = (conn: typeof A, net?: NetworkOptions): Promise<string> =>
      withRemote(conn, { stdio: 'local', ...(net === undefined ? {} : { net }) }, ask);
    for (let round = 0; round < 3; round++) {
      assert.equal(await inScope(A), 'A');
      assert.equal(await inScope(B), 'B');
      assert.equal(await ask(), 'local');
      assert.equal(await inScope(A, { local: ['localhost'] }), 'local');
      assert.equal(await inScope(A, { via: [{ places: ['*'], remote: B }] }), 'B');
      assert.equal(await withRemote({ net: A, dns: 'local' }, ask), 'A');
    }
    agent.destroy();
    assert.equal(sockets.size, 6);
  });
}

test('bodies stream both ways', async () => {
  const SIZE = 8_000_000;
  const sent = randomBytes(SIZE);
  const port = await serve((request, response) => request.pipe(response));
  const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
  const echoed = await on('A', async () => {
    const request = http.request({ port, host: '127.0.0.1', method: 'POST', agent: false });
    const answered = once(request, 'response') as Promise<[http.IncomingMessage]>;
    const pieces = Array.from({ length: 80 }, (_, i) =>
      sent.subarray(i * 100_000, (i + 1) * 100_000),
    );
    const [, body] = await Promise.all([
      pipeline(Readable.from(pieces), request),
      answered.then(([response]) => buffer(response)),
    ]);
    return body;
  });
  assert.equal(echoed.length, SIZE);
  assert.equal(digest(echoed), digest(sent));
});

test('an aborted request is closed on the far side too, and a failed one fails as here', async () => {
  const seen: Promise<unknown>[] = [];
  const port = await serve((request) => {
    seen.push(once(request.socket, 'close'));
    request.socket.emit('asked');
  });
  const aborted = async (): Promise<unknown[]> => {
    const controller = new AbortController();
    const request = http.get({ port, host: '127.0.0.1', signal: controller.signal, agent: false });
    const failed = once(request, 'error') as Promise<[NodeJS.ErrnoException]>;
    const before = seen.length;
    while (seen.length === before) await new Promise(setImmediate);
    controller.abort();
    const [error] = await failed;
    await seen[before];
    return [error.name, error.code, error.message];
  };
  assert.deepEqual(await on('A', aborted), await aborted());

  const refused = async (): Promise<unknown[]> => {
    const error = await get({ port: 1, agent: false }).catch((e: unknown) => e);
    return [(error as Error).message, Object.entries(error as object)];
  };
  assert.deepEqual(await on('B', refused), await refused());
});

test.run();

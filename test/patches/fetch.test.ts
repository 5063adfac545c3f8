// Node's built-in fetch, WebSocket and EventSource, and the ws package, in scopes: a pool for each.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import { WebSocketServer, WebSocket as WsClient } from 'ws';
import { type NetworkOptions, withRemote } from '../../src/index.ts';
import { repository, runProgram } from '../kit/agent.ts';
import { suite } from '../kit/suite.ts';
import { SIDES, type Side, threeSides } from './three-sides.ts';

const test = suite('patches/fetch', { limit: 30_000 });
const sides = threeSides(test);
const { on, owner } = sides;

const sockets = new Map<Socket, string>();
const server = http.createServer({ keepAliveTimeout: 60_000 });
let port: number;

type Route = (request: http.IncomingMessage, response: http.ServerResponse) => void;
const routes: Record<string, Route> = {
  '/owner': ({ socket }, response) => {
    const whose = sockets.get(socket) ?? owner(socket);
    sockets.set(socket, whose);
    setImmediate(() => response.end(whose));
  },
  '/echo': (request, response) => request.pipe(response),
  '/endless': ({ socket }, response) => {
    response.write('begun');
    socket.once('close', () => server.emit('cut'));
  },
  '/events': ({ socket }, response) => {
    response.setHeader('content-type', 'text/event-stream');
    response.write(`data: ${owner(socket)}\n\n`);
  },
};

test.before(async () => {
  server.on('request', (request: http.IncomingMessage, response: http.ServerResponse) => {
    routes[request.url ?? '']?.(request, response);
  });
  const rooms = new WebSocketServer({ server });
  rooms.on('connection', (socket, request) => {
    socket.send(owner(request.socket));
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ({ port } = server.address() as AddressInfo);
});
test.after(() => {
  server.closeAllConnections();
  server.close();
});

const url = (path: string): string => `http://127.0.0.1:${port}${path}`;
const ask = async (): Promise<string> => (await fetch(url('/owner'))).text();

test('each side has a pool of its own, and uses it again', async () => {
  const order = Array.from({ length: 30 }, (_, i) => SIDES[(i * 5 + (i >> 3)) % 3] as Side);
  assert.deepEqual(await Promise.all(order.map((side) => on(side, ask))), order);
  const before = sockets.size;
  for (const side of order) assert.equal(await on(side, ask), side);
  assert.equal(sockets.size, before, 'new sockets for requests one after another');
});

test('scopes of one connection share a pool; with other rules they do not', async () => {
  const { A, B } = sides.connections;
  const inScope = (net?: NetworkOptions): Promise<string> =>
    withRemote(A, { stdio: 'local', ...(net === undefined ? {} : { net }) }, ask);
  assert.equal(await inScope(), 'A');
  const before = sockets.size;
  for (let round = 0; round < 3; round++) {
    assert.equal(await inScope(), 'A');
    assert.equal(await inScope({ via: [{ places: ['*'], remote: B }] }), 'B');
    assert.equal(await inScope({ local: ['localhost'] }), 'local');
  }
  assert.equal(sockets.size, before + 2);
});

test('a request that is made in the answer to another goes where its own scope says', async () => {
  const nested = await on('A', async () => [
    await ask(),
    await on('B', ask),
    await fetch(url('/owner')).then((response) => response.text()),
  ]);
  assert.deepEqual(nested, ['A', 'B', 'A']);
});

test('bodies stream up and down, in both directions at once', async () => {
  const PIECES = 64;
  const piece = new Uint8Array(64 * 1024).fill(7);
  let given = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (given++ < PIECES) controller.enqueue(piece.slice());
      else controller.close();
    },
  });
  let received = 0;
  await on('A', async () => {
    const response = await fetch(url('/echo'), { method: 'POST', body, duplex: 'half' });
    for await (const chunk of response.body ?? []) received += (chunk as Uint8Array).length;
  });
  assert.equal(received, PIECES * piece.length);
});

test('an abort in the middle of a body cuts the far socket', async () => {
  const cut = once(server, 'cut');
  const controller = new AbortController();
  const error = await on('A', async () => {
    const response = await fetch(url('/endless'), { signal: controller.signal });
    const reader = response.body?.getReader();
    await reader?.read();
    controller.abort();
    return reader?.read().catch((e: unknown) => e);
  });
  assert.equal((error as Error).name, 'AbortError');
  await cut;
});

test('a refused connection has the cause that it has here', async () => {
  const refused = (): Promise<unknown> =>
    fetch('http://127.0.0.1:2/').then(undefined, (error: Error) => [
      error.message,
      (error.cause as Error).message,
      Object.entries(error.cause as Error),
    ]);
  assert.deepEqual(await on('A', refused), await refused());
});

interface Room {
  onmessage: ((event: { data: unknown }) => void) | null;
  onerror: ((event: unknown) => void) | null;
  send(text: string): void;
  close(): void;
}
type RoomClass = new (url: string) => Room;

/** Whose socket it is, and what comes back. */
function talk(Client: RoomClass): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const heard: string[] = [];
    const room = new Client(url('/').replace('http', 'ws'));
    room.onerror = reject;
    room.onmessage = ({ data }) => {
      heard.push(String(data));
      if (heard.length === 1) room.send('hello');
      else {
        room.close();
        resolve(heard);
      }
    };
  });
}

async function talksFromEverySide(Client: RoomClass): Promise<void> {
  const heard = await Promise.all(SIDES.map((side) => on(side, () => talk(Client))));
  assert.deepEqual(
    heard,
    SIDES.map((side) => [side, 'hello']),
  );
}

test("WebSocket: Node's own", async ({ skip }) => {
  const own = (globalThis as { WebSocket?: unknown }).WebSocket as RoomClass | undefined;
  await talksFromEverySide(own ?? skip('this Node has no WebSocket'));
});

test('WebSocket: the ws package', () => talksFromEverySide(WsClient as unknown as RoomClass));

test("EventSource: Node's own", async ({ skip }) => {
  if (Number.parseInt(process.versions.node, 10) < 22) skip('this Node has no EventSource');
  const { stdout, stderr } = await program(
    `const source = withRemote(conn, () => new EventSource(${JSON.stringify(url('/events'))}));
     const [event] = await once(source, 'message');
     console.log(event.data);
     source.close();`,
    ['--experimental-eventsource', '--no-warnings'],
  );
  assert.equal(stdout, 'A\n', stderr);
});

test('a dispatcher that the program sets is used inside and outside, and outlives uninstall', async () => {
  const { stdout, stderr } = await program(
    `const keys = [2, 1].map((n) => Symbol.for('undici.globalDispatcher.' + n));
     await withRemote(conn, async () => (await fetch(${JSON.stringify(url('/owner'))})).text());
     const [key] = keys.filter((each) => globalThis[each] !== undefined);
     const Agent = globalThis[key].constructor;
     let count = 0;
     class Mine extends Agent { dispatch(...args) { count++; return super.dispatch(...args); } }
     const mine = new Mine();
     for (const each of keys)
       if (globalThis[each] !== undefined)
         Object.defineProperty(globalThis, each, { value: mine, writable: true, enumerable: false, configurable: false });
     const ask = async () => (await fetch(${JSON.stringify(url('/owner'))})).text();
     await withRemote(conn, ask);
     await ask();
     console.log(count, globalThis[key] === mine);
     uninstall();
     await ask();
     console.log(count, globalThis[key] === mine);
     await mine.close();`,
  );
  assert.equal(stdout, '2 true\n3 true\n', stderr);
});

test('an agent that the program set before keeps its options in scopes; any other dispatcher is left alone', async () => {
  const { stdout, stderr } = await program(
    `await fetch('data:,');
     const keys = [2, 1].map((n) => Symbol.for('undici.globalDispatcher.' + n));
     const [key] = keys.filter((each) => globalThis[each] !== undefined);
     const Agent = globalThis[key].constructor;
     const put = (value, at = key) => Object.defineProperty(globalThis, at, { value, writable: true, enumerable: false, configurable: false });
     const ask = async () => (await fetch(${JSON.stringify(url('/owner'))})).text();
     put(new Agent({ maxHeaderSize: 10 }));
     const tooLarge = (error) => error.cause.code;
     console.log(await ask().catch(tooLarge), await withRemote(conn, () => ask().catch(tooLarge)));
     uninstall();
     let count = 0;
     class Mock extends Agent { dispatch(...args) { count++; return super.dispatch(...args); } }
     const mock = new Mock();
     for (const each of keys) if (globalThis[each] !== undefined) put(mock, each);
     await withRemote(conn, ask);
     console.log(count, globalThis[key] === mock);
     await mock.close();`,
  );
  assert.equal(stdout, 'UND_ERR_HEADERS_OVERFLOW UND_ERR_HEADERS_OVERFLOW\n1 true\n', stderr);
});

/** A program of its own, with a connection to A. */
function program(source: string, flags: string[] = []): ReturnType<typeof runProgram> {
  const file = join(repository, 'build', `fetch-${process.pid}.mjs`);
  writeFileSync(
    file,
    `import { once } from 'node:events';
     import { connect, uninstall, withRemote } from 'elsewhere';
     const conn = await connect(process.argv[2]);
     ${source}
     await conn.close();`,
  );
  return runProgram(process.execPath, [...flags, file, sides.agents.A.url]);
}

test.run();

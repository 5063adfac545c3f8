// Each scenario runs twice, on a local socket and on one of the far side; the two logs of events must be the same.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ConnectionPair, connectPair, withRemote } from '../../../src/index.ts';
import { suite } from '../../kit/suite.ts';
import { Recorder } from './recorder.ts';

const test = suite('patches/net events');

interface Stage {
  readonly log: Recorder;
  /** Starts a server for this run; its connections do what `serve` says. */
  server(serve: (socket: net.Socket) => void, options?: net.ServerOpts): Promise<number>;
  /** A socket whose events are written down. */
  socket(options?: net.SocketConstructorOpts): net.Socket;
}

type Scenario = (stage: Stage) => Promise<unknown>;

let pair: ConnectionPair;

test.before(async () => {
  pair = await connectPair();
});
test.after(async () => {
  await pair.near.close();
  await pair.far.close();
});

async function run(scenario: Scenario, remote: boolean): Promise<string[]> {
  const log = new Recorder();
  const servers: net.Server[] = [];
  const sockets: net.Socket[] = [];
  const stage: Stage = {
    log,
    server: async (serve, options = {}) => {
      const server = net.createServer(options, (socket) => {
        sockets.push(socket);
        socket.on('error', (error: NodeJS.ErrnoException) => log.note(`server error ${error.code}`));
        serve(socket);
      });
      servers.push(server);
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { port } = server.address() as net.AddressInfo;
      log.rename(port, 'PORT');
      return port;
    },
    socket: (options) => {
      const socket = new net.Socket(options);
      sockets.push(socket);
      log.watch(socket);
      return socket;
    },
  };
  try {
    if (remote) await withRemote(pair.near, () => scenario(stage));
    else await scenario(stage);
  } finally {
    for (const socket of sockets) socket.destroy();
    for (const server of servers) server.close();
  }
  return log.lines;
}

interface Expectation {
  /** Lines that are known to differ. */
  readonly except?: RegExp;
  /** Over before anything is dialled. */
  readonly neverDials?: boolean;
}

function scenario(name: string, body: Scenario, { except, neverDials = false }: Expectation = {}): void {
  test(name, async () => {
    const told = (line: string): boolean => except === undefined || !except.test(line);
    const local = (await run(body, false)).filter(told);
    const before = pair.near.stats().packetsSent;
    const remote = (await run(body, true)).filter(told);
    assert.ok(local.length > 0, 'the scenario wrote nothing down');
    assert.deepEqual(remote, local);
    assert.equal(pair.near.stats().packetsSent > before, !neverDials, 'where it was dialled');
  });
}

const closed = (socket: net.Socket): Promise<unknown> => new Promise((resolve) => socket.once('close', resolve));
/** A port that nobody listens on. */
async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

scenario('talks and ends', async ({ server, socket }) => {
  const port = await server((peer) => peer.on('data', (data) => peer.write(`echo ${data}`)));
  const client = socket();
  client.connect(port, '127.0.0.1', () => client.write('hello'));
  client.once('data', () => client.end());
  await closed(client);
});

scenario('writes before it is connected', async ({ server, socket, log }) => {
  const port = await server((peer) => peer.pipe(peer));
  const client = socket();
  client.connect(port, '127.0.0.1');
  client.write('one ', () => log.note('one written'));
  client.write(Buffer.from('two '), () => log.note('two written'));
  client.end('three', () => log.note('ended'));
  client.resume();
  await closed(client);
});

scenario('tells its addresses', async ({ server, socket, log }) => {
  const port = await server((peer) => peer.end('x'));
  const client = socket();
  client.connect({ port, host: '127.0.0.1' });
  await once(client, 'connect');
  log.note(`${client.remoteAddress} ${client.remotePort} ${client.remoteFamily} ${client.localAddress} ${client.localFamily}`);
  log.note(String(typeof client.localPort) + Object.keys(client.address()).join());
  client.resume();
  await closed(client);
});

scenario('is half closed by the other side', async ({ server, socket }) => {
  const port = await server((peer) => peer.end('bye'), { allowHalfOpen: true });
  const client = socket({ allowHalfOpen: true });
  client.connect(port, '127.0.0.1');
  client.resume();
  await once(client, 'end');
  client.end('still here');
  await closed(client);
});

scenario('is refused', async ({ socket, log }) => {
  const port = await freePort();
  log.rename(port, 'PORT');
  const client = socket();
  client.on('error', () => undefined);
  client.connect(port, '127.0.0.1');
  await closed(client);
});

scenario('finds no such host', async ({ socket }) => {
  const client = socket();
  client.on('error', () => undefined);
  client.connect(80, 'no-such-host.invalid');
  await closed(client);
});

scenario('tries all addresses of a host', async ({ socket, log }) => {
  const port = await freePort();
  log.rename(port, 'PORT');
  const client = socket();
  client.on('error', () => undefined);
  const lookup = (_host: string, _options: object, done: (error: null, found: object[]) => void): void =>
    done(null, [
      { address: '127.0.0.1', family: 4 },
      { address: '127.0.0.2', family: 4 },
    ]);
  client.connect({ port, host: 'two.example', lookup: lookup as unknown as net.LookupFunction, autoSelectFamily: true });
  await closed(client);
});

scenario('takes the second address when the first is refused', async ({ server, socket, log }) => {
  const port = await server((peer) => peer.pipe(peer));
  const client = socket();
  const lookup = (_host: string, _options: object, done: (error: null, found: object[]) => void): void =>
    done(null, [
      { address: '127.0.0.2', family: 4 },
      { address: '127.0.0.1', family: 4 },
    ]);
  client.connect({ port, host: 'two.example', lookup: lookup as unknown as net.LookupFunction, autoSelectFamily: true });
  client.resume();
  await once(client, 'connect');
  client.end('hello');
  await closed(client);
  log.note(JSON.stringify(client.autoSelectFamilyAttemptedAddresses));
});

scenario('talks over a unix socket', async ({ socket, log }) => {
  const file = path.join(tmpdir(), `elsewhere-net-${process.pid}.sock`);
  const server = net.createServer((peer) => peer.pipe(peer)).listen(file);
  await once(server, 'listening');
  const client = socket();
  client.connect(file);
  client.end('over a path');
  client.resume();
  await closed(client);
  log.note(JSON.stringify([client.remoteAddress, client.localAddress, client.address()]));
  server.close();
  await rm(file, { force: true });
});

scenario('finds no unix socket', async ({ socket }) => {
  const client = socket();
  client.on('error', () => undefined);
  client.connect({ path: '/nonexistent/elsewhere.sock' });
  await closed(client);
});

scenario('is reset by the other side', async ({ server, socket }) => {
  const port = await server((peer) => peer.once('data', () => peer.resetAndDestroy()));
  const client = socket();
  client.on('error', () => undefined);
  client.connect(port, '127.0.0.1', () => client.write('now'));
  client.resume();
  await closed(client);
});

scenario('resets', async ({ server, socket, log }) => {
  let over: Promise<unknown> | undefined;
  const port = await server((peer) => {
    over = once(peer, 'error');
    peer.resume();
  });
  const client = socket();
  client.connect(port, '127.0.0.1');
  await once(client, 'connect');
  await sleep(20);
  client.resetAndDestroy();
  await closed(client);
  await over;
  log.note('over');
}, { except: /^server error/ });

scenario('is destroyed before it is connected', async ({ server, socket }) => {
  const port = await server(() => undefined);
  const client = socket();
  client.connect(port, '127.0.0.1');
  client.destroy();
  await closed(client);
}, { neverDials: true });

scenario('is destroyed with an error', async ({ server, socket }) => {
  const port = await server((peer) => peer.resume());
  const client = socket();
  client.on('error', () => undefined);
  client.connect(port, '127.0.0.1', () => client.destroy(new Error('enough')));
  await closed(client);
});

scenario('is aborted', async ({ server, socket }) => {
  const port = await server((peer) => peer.resume());
  const abort = new AbortController();
  const client = socket({ signal: abort.signal });
  client.on('error', () => undefined);
  client.connect(port, '127.0.0.1', () => abort.abort());
  await closed(client);
});

scenario('times out when nothing happens', async ({ server, socket }) => {
  const port = await server(() => undefined);
  const client = socket();
  client.setTimeout(50, () => client.destroy());
  client.connect(port, '127.0.0.1');
  await closed(client);
});

scenario('refuses a write after its end', async ({ server, socket, log }) => {
  const port = await server((peer) => peer.resume());
  const client = socket();
  client.on('error', () => undefined);
  client.connect(port, '127.0.0.1');
  await once(client, 'connect');
  client.end('last');
  client.write('too late', (error) => log.note(`callback ${error?.message}`));
  await closed(client);
});

scenario('reads into a buffer of the program', async ({ server, socket, log }) => {
  const port = await server((peer) => peer.end('0123456789abcdef'));
  let text = '';
  const onread = {
    buffer: Buffer.alloc(5),
    callback: (length: number, buffer: Uint8Array): boolean => {
      text += Buffer.from(buffer.subarray(0, length)).toString();
      return true;
    },
  };
  const client = socket({ onread } as net.SocketConstructorOpts);
  client.connect(port, '127.0.0.1');
  await closed(client);
  log.note(text);
});

scenario('moves megabytes both ways and waits for a slow reader', async ({ server, log }) => {
  const SIZE = 3_000_000;
  const port = await server((peer) => peer.pipe(peer));
  // Not watched: when it finishes depends on how fast the bytes go.
  const client = net.connect(port, '127.0.0.1');
  let received = 0;
  client.on('data', (data) => {
    received += data.length;
    if (received < SIZE && received % 7 === 0) {
      client.pause();
      setTimeout(() => client.resume(), 1);
    }
  });
  client.end(Buffer.alloc(SIZE, 'x'));
  await closed(client);
  log.note(`${received} ${client.bytesRead} ${client.bytesWritten}`);
});

// Node finds out before it says that it tries; we bind on the far side, when it connects.
scenario('binds to an address that is not there', async ({ server, socket }) => {
  const port = await server(() => undefined);
  const client = socket();
  client.on('error', () => undefined);
  client.connect({ port, host: '127.0.0.1', localAddress: '192.0.2.1' });
  await closed(client);
}, { except: /^connectionAttempt/ });

scenario('connects from a port of choice', async ({ server, socket, log }) => {
  let from: number | undefined;
  const port = await server((peer) => {
    from = peer.remotePort;
    peer.end();
  });
  const localPort = await freePort();
  log.rename(localPort, 'LOCAL');
  const client = socket();
  client.connect({ port, host: '127.0.0.1', localPort });
  client.resume();
  await closed(client);
  log.note(`${from}`);
});

scenario('connects again after it was closed', async ({ server, socket }) => {
  const port = await server((peer) => peer.end('again'));
  const client = socket();
  for (let round = 0; round < 2; round++) {
    client.connect(port, '127.0.0.1');
    client.resume();
    await closed(client);
  }
});

scenario('is refused by Node for its arguments', async ({ socket, log }) => {
  for (const options of [{}, { port: 70_000 }, { port: 1, host: '127.0.0.1', localAddress: 'x' }, { port: {} }]) {
    try {
      socket().connect(options as net.SocketConnectOpts);
    } catch (error) {
      log.note(`${(error as NodeJS.ErrnoException).code} ${(error as Error).message}`);
    }
  }
}, { neverDials: true });

test.run();

// How a socket gets its connection, or why not: the same on the far side's sockets.
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { suite } from '../../kit/suite.ts';
import { summary } from './recorder.ts';
import { closed, found, freePort, scenarios } from './stage.ts';

const test = suite('patches/net dialling');
const scenario = scenarios(test);

scenario('is refused', async ({ socket, log }) => {
  const port = await freePort();
  log.rename(port, 'PORT');
  const client = socket();
  client.on('error', () => undefined);
  client.connect(port, '127.0.0.1');
  await closed(client);
});

for (const host of ['255.255.255.255', 'ff02::1'])
  scenario(`finds no route to ${host}, at once`, async ({ socket }) => {
    const client = socket();
    client.on('error', () => undefined);
    client.connect({ port: 9, host });
    await closed(client);
  });

scenario('finds no route from an address of choice, at once', async ({ socket, log }) => {
  const localPort = await freePort();
  log.rename(localPort, 'LOCAL');
  const client = socket();
  client.on('error', () => undefined);
  client.connect({ port: 9, host: '255.255.255.255', localAddress: '127.0.0.1', localPort });
  await closed(client);
});

// An `emit` of the program's own sees these before they are as Node makes them; listeners don't.
const exceptAttempts = { except: /^connectionAttemptFailed/ };

scenario(
  'finds no route to any address of a host',
  async ({ socket, log }) => {
    const client = socket();
    client.on('error', () => undefined);
    client.on('connectionAttemptFailed', (_host, _port, _family, error) =>
      log.note(summary(error)),
    );
    client.connect({
      port: 9,
      host: 'nowhere.example',
      lookup: found('255.255.255.255', 'ff02::1'),
      autoSelectFamily: true,
    });
    await closed(client);
  },
  exceptAttempts,
);

scenario(
  'finds no route, then is refused',
  async ({ socket, log }) => {
    const port = await freePort();
    log.rename(port, 'PORT');
    const client = socket();
    client.on('error', () => undefined);
    client.on('connectionAttemptFailed', (_host, _port, _family, error) =>
      log.note(summary(error)),
    );
    client.connect({
      port,
      host: 'nowhere.example',
      lookup: found('255.255.255.255', '127.0.0.1'),
      autoSelectFamily: true,
    });
    await closed(client);
  },
  exceptAttempts,
);

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
  client.connect({
    port,
    host: 'two.example',
    lookup: found('127.0.0.1', '127.0.0.2'),
    autoSelectFamily: true,
  });
  await closed(client);
});

scenario('takes the second address when the first is refused', async ({ server, socket, log }) => {
  const port = await server((peer) => peer.pipe(peer));
  const client = socket();
  client.connect({
    port,
    host: 'two.example',
    lookup: found('127.0.0.2', '127.0.0.1'),
    autoSelectFamily: true,
  });
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
scenario(
  'binds to an address that is not there',
  async ({ server, socket }) => {
    const port = await server(() => undefined);
    const client = socket();
    client.on('error', () => undefined);
    client.connect({ port, host: '127.0.0.1', localAddress: '192.0.2.1' });
    await closed(client);
  },
  { except: /^connectionAttempt/ },
);

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

scenario(
  'is refused by Node for its arguments',
  async ({ socket, log }) => {
    for (const options of [
      {},
      { port: 70_000 },
      { port: 1, host: '127.0.0.1', localAddress: 'x' },
      { port: {} },
    ]) {
      try {
        socket().connect(options as net.SocketConnectOpts);
      } catch (error) {
        log.note(`${(error as NodeJS.ErrnoException).code} ${(error as Error).message}`);
      }
    }
  },
  { neverDials: true },
);

test.run();

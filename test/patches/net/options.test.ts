// What a program may ask of a socket or a server by its options: the same on the far side's.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { suite } from '../../kit/suite.ts';
import { summary } from './recorder.ts';
import { closed, found, freePort, scenarios } from './stage.ts';

const test = suite('patches/net options');
const scenario = scenarios(test);

function blocking(...addresses: string[]): net.BlockList {
  const list = new net.BlockList();
  for (const address of addresses) list.addAddress(address, net.isIPv6(address) ? 'ipv6' : 'ipv4');
  return list;
}

type WithBlockList = net.TcpSocketConnectOpts & { blockList: net.BlockList };

// Before Node 22.13 the option has no meaning, and the socket connects.
const blocked: Record<string, (port: number) => WithBlockList> = {
  'an address': (port) => ({ port, host: '127.0.0.1', blockList: blocking('127.0.0.1') }),
  'another address': (port) => ({ port, host: '127.0.0.1', blockList: blocking('127.0.0.2') }),
  'the address of a name': (port) => ({
    port,
    host: 'one.example',
    lookup: found('127.0.0.1'),
    blockList: blocking('127.0.0.1'),
  }),
  'the only address of a name, with happy eyeballs': (port) => ({
    port,
    host: 'one.example',
    lookup: found('127.0.0.1'),
    autoSelectFamily: true,
    blockList: blocking('127.0.0.1'),
  }),
  'the first address of a name': (port) => ({
    port,
    host: 'two.example',
    lookup: found('127.0.0.2', '127.0.0.1'),
    autoSelectFamily: true,
    blockList: blocking('127.0.0.2'),
  }),
  'all addresses of a name': (port) => ({
    port,
    host: 'two.example',
    lookup: found('127.0.0.2', '127.0.0.1'),
    autoSelectFamily: true,
    blockList: blocking('127.0.0.2', '127.0.0.1'),
  }),
};

scenario('text is no buffer, as its encoding said', async ({ server, socket, log }) => {
  const port = await server((peer) => peer.end('reached'));
  const client = socket();
  client.connect(port, '127.0.0.1');
  await once(client, 'connect');
  try {
    client.write('broken', 'buffer' as BufferEncoding);
    log.note('written');
  } catch (error) {
    log.note(summary(error));
  }
  client.destroy();
  await closed(client);
});

for (const [what, options] of Object.entries(blocked))
  scenario(`blocks ${what}`, async ({ server, socket }) => {
    const port = await server((peer) => peer.end('reached'));
    const client = socket();
    client.on('error', () => undefined);
    client.connect(options(port));
    client.resume();
    await closed(client);
  });

for (const address of ['127.0.0.1', '127.0.0.2'])
  scenario(`is a server that blocks ${address}`, async ({ server, socket, log }) => {
    const options = { blockList: blocking(address) };
    const port = await server((peer) => peer.end('served'), options as net.ServerOpts);
    const client = socket();
    client.on('error', () => undefined);
    client.connect(port, '127.0.0.1');
    client.resume();
    await closed(client);
    log.note('over');
  });

// Before Node 22.13 nothing is wrong with it.
scenario(
  'is refused by Node for a list that is none',
  async ({ socket, log }) => {
    for (const blockList of [{}, 'x']) {
      const client = socket();
      try {
        client.connect({ port: 9, host: '127.0.0.1', blockList } as never);
        log.note('nothing wrong');
      } catch (error) {
        log.note(summary(error));
      }
      client.destroy();
    }
  },
  { neverDials: true },
);

scenario('is aborted before it begins', async ({ server, socket }) => {
  const port = await server((peer) => peer.resume());
  const client = socket({ signal: AbortSignal.abort() });
  client.on('error', () => undefined);
  client.connect(port, '127.0.0.1');
  await closed(client);
});

scenario('is aborted while it connects', async ({ server, socket }) => {
  const port = await server((peer) => peer.resume());
  const abort = new AbortController();
  const client = socket({ signal: abort.signal });
  client.on('error', () => undefined);
  client.connect(port, '127.0.0.1');
  client.once('connectionAttempt', () => process.nextTick(() => abort.abort(new Error('enough'))));
  await closed(client);
});

for (const early of [true, false])
  scenario(
    `is a server that is aborted ${early ? 'early' : 'later'}`,
    async ({ log }) => {
      const abort = new AbortController();
      const server = net.createServer();
      for (const event of ['listening', 'close', 'error'])
        server.on(event, (error) => log.note(`${event} ${summary(error)} ${server.listening}`));
      if (early) abort.abort();
      server.listen({ port: 0, host: '127.0.0.1', signal: abort.signal });
      if (!early) await once(server, 'listening');
      const over = once(server, 'close');
      abort.abort();
      await over;
      log.note(JSON.stringify(server.address()));
    },
    { neverDials: early },
  );

scenario('reads into buffers of the program, which pauses', async ({ server, socket, log }) => {
  const port = await server((peer) => peer.end('0123456789abcdef'));
  let made = 0;
  const texts: string[] = [];
  const onread = {
    buffer: () => Buffer.alloc(2 + made++),
    callback: (length: number, buffer: Uint8Array): boolean => {
      texts.push(Buffer.from(buffer.subarray(0, length)).toString());
      if (texts.length === 2) setImmediate(() => client.resume());
      return texts.length !== 2;
    },
  };
  const client: net.Socket = socket({ onread } as never);
  client.connect(port, '127.0.0.1');
  await closed(client);
  log.note(`${texts} ${client.bytesRead}`);
});

for (const sizes of [[0], [3, 0]])
  scenario(`reads into buffers of ${sizes} bytes`, async ({ server, socket, log }) => {
    const port = await server((peer) => peer.end('0123456789abcdef'));
    const left = [...sizes];
    const onread = {
      buffer: () => Buffer.alloc(left.shift() ?? 0),
      callback: (length: number, buffer: Uint8Array): boolean => {
        log.note(Buffer.from(buffer.subarray(0, length)).toString());
        return true;
      },
    };
    const client = socket({ onread } as never);
    client.on('error', () => undefined);
    client.connect(port, '127.0.0.1');
    await closed(client);
  });

for (const [host, through] of [
  ['::1', '::1'],
  ['127.0.0.1', '::ffff:127.0.0.1'],
  ['::', '127.0.0.1'],
] as const)
  scenario(`tells the families of ${through} to ${host}`, async ({ server, socket, log }) => {
    const port = await server(
      (peer) => {
        const { remoteAddress, remoteFamily, localAddress, localFamily, localPort } = peer;
        log.note(`${[remoteAddress, remoteFamily, localAddress, localFamily, localPort]}`);
        peer.end();
      },
      {},
      host,
    );
    const client = socket();
    client.connect(port, through);
    await once(client, 'connect');
    const { remoteAddress, remoteFamily, remotePort, localAddress, localFamily } = client;
    log.note(`${[remoteAddress, remoteFamily, remotePort, localAddress, localFamily]}`);
    client.resume();
    await closed(client);
    log.note(`${[client.remoteAddress, client.localAddress, client.localPort]}`);
  });

scenario('has a time limit from its beginning', async ({ server, socket }) => {
  const port = await server(() => undefined);
  const client = socket();
  client.setTimeout(40);
  client.connect(port, '127.0.0.1');
  client.once('timeout', () => client.destroy());
  await closed(client);
});

scenario('has a time limit that is taken back', async ({ server, socket, log }) => {
  const port = await server((peer) => setTimeout(() => peer.end(), 80));
  const client = socket();
  client.setTimeout(40);
  client.connect(port, '127.0.0.1', () => {
    client.setTimeout(0);
    log.note(String(client.timeout));
  });
  client.resume();
  await closed(client);
});

scenario(
  'refuses a time limit as Node does',
  async ({ socket, log }) => {
    for (const limit of [-1, Number.NaN, 'x'])
      try {
        log.note(String(socket().setTimeout(limit as number).timeout));
      } catch (error) {
        log.note(summary(error));
      }
    const client = socket();
    client.on('error', () => undefined);
    client.connect(await freePort(), '127.0.0.1');
    await closed(client);
  },
  { except: /^(error|connectionAttempt)/ },
);

for (const when of ['before it connects', 'while it connects', 'after its end'])
  scenario(
    `resets ${when}`,
    async ({ server, socket, log }) => {
      const port = await server((peer) => peer.resume(), { allowHalfOpen: true });
      const client = socket({ allowHalfOpen: true });
      client.on('error', () => undefined);
      const over = closed(client);
      if (when === 'before it connects') client.resetAndDestroy();
      else client.connect(port, '127.0.0.1');
      if (when === 'while it connects') client.resetAndDestroy();
      if (when === 'after its end') {
        await once(client, 'connect');
        client.end(() => client.resetAndDestroy());
      }
      await over;
      log.note(`${client.destroyed} ${client.resetAndDestroy() === client}`);
      assert.ok(client.closed);
    },
    { except: /^server error/ },
  );

scenario('counts what it wrote before it was connected', async ({ server, socket, log }) => {
  const port = await server((peer) => peer.resume());
  const client = socket();
  client.connect(port, '127.0.0.1');
  client.write('three');
  client.write('é', 'latin1');
  client.write('é');
  client.cork();
  client.write(Buffer.alloc(10));
  log.note(`${client.bytesWritten} ${client.writableLength}`);
  client.uncork();
  client.end();
  client.resume();
  await closed(client);
  log.note(`${client.bytesWritten} ${client.bytesRead}`);
});

test.run();

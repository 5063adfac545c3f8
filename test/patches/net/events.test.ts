// What a program sees of a socket's life must be the same on the far side's sockets.
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { withLocal } from '../../../src/index.ts';
import { suite } from '../../kit/suite.ts';
import { closed, scenarios } from './stage.ts';

const test = suite('patches/net events');
const scenario = scenarios(test);

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
  log.note(
    `${client.remoteAddress} ${client.remotePort} ${client.remoteFamily} ${client.localAddress} ${client.localFamily}`,
  );
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

scenario('is reset by the other side', async ({ server, socket }) => {
  const port = await server((peer) => peer.once('data', () => peer.resetAndDestroy()));
  const client = socket();
  client.on('error', () => undefined);
  client.connect(port, '127.0.0.1', () => client.write('now'));
  client.resume();
  await closed(client);
});

scenario(
  'resets',
  async ({ server, socket, log }) => {
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
  },
  { except: /^server error/ },
);

scenario(
  'is destroyed before it is connected',
  async ({ server, socket }) => {
    const port = await withLocal(() => server(() => undefined));
    const client = socket();
    client.connect(port, '127.0.0.1');
    client.destroy();
    await closed(client);
  },
  { neverDials: true },
);

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
  client.connect(port, '127.0.0.1', () => client.setTimeout(50, () => client.destroy()));
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

test.run();

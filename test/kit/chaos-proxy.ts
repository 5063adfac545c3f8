/** The process of a chaos proxy (chaos.ts): a TCP proxy that breaks its connections as networks do. */
import { once } from 'node:events';
import net from 'node:net';
import type { ChaosOptions, FromProxy, ToProxy } from './chaos.ts';
import { randomNumbers } from './random-numbers.ts';

interface Pair {
  readonly client: net.Socket;
  readonly server: net.Socket;
}

const { target, seed, life } = JSON.parse(process.argv[2] ?? '') as ChaosOptions;
const random = randomNumbers(seed);
const pairs = new Set<Pair>();
let calm = life === 0;

const tell = (message: FromProxy): void => void process.send?.(message);

function end(pair: Pair, how: number): void {
  if (!pairs.delete(pair)) return;
  tell('broken');
  for (const socket of [pair.client, pair.server]) {
    // Node crashes when it resets a socket that is shutting down.
    if (how < 0.5 && !socket.writableEnded) socket.resetAndDestroy();
    else if (how < 0.75) socket.destroySoon();
    else socket.destroy();
  }
}

const proxy = net.createServer({ noDelay: true }, (client) => {
  client.on('error', () => undefined);
  // As good as refused: gone before a byte was sent.
  if (!calm && random() < 0.05) return void client.resetAndDestroy();
  const server = net.connect({ port: target, host: '127.0.0.1', noDelay: true });
  server.on('error', () => undefined);
  const pair: Pair = { client, server };
  pairs.add(pair);
  // At a random byte: what is behind it is dropped.
  let left = random() < 0.6 ? Number.POSITIVE_INFINITY : Math.floor(random() * 20_000);
  const pass = (from: net.Socket, to: net.Socket): void => {
    from.on('data', (chunk) => {
      left -= chunk.length;
      if (left < 0 && !calm) {
        to.write(chunk.subarray(0, left));
        return end(pair, random());
      }
      if (to.write(chunk)) return;
      from.pause();
      to.once('drain', () => from.resume());
    });
    from.on('close', () => {
      pairs.delete(pair);
      to.destroySoon();
    });
  };
  pass(client, server);
  pass(server, client);
  const time = -Math.log(1 - random()) * life;
  setTimeout(() => calm || end(pair, random()), time).unref();
});

process.on('message', (message: ToProxy) => {
  if (message === 'calm') calm = true;
  else for (const pair of pairs) end(pair, 0);
});
process.on('disconnect', () => process.exit());

proxy.listen(0, '127.0.0.1');
await once(proxy, 'listening');
tell({ port: (proxy.address() as net.AddressInfo).port });

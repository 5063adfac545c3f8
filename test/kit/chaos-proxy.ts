/** The process of a chaos proxy (chaos.ts): a TCP proxy that breaks its connections as networks do. */
import { once } from 'node:events';
import net from 'node:net';
import type { ChaosOptions, FromProxy, ToProxy } from './chaos.ts';
import { randomNumbers } from './random-numbers.ts';

const { target, seed, life, rough } = JSON.parse(process.argv[2] ?? '') as ChaosOptions;
const random = randomNumbers(seed);
const pairs = new Set<Pair>();
let calm = life === 0;

/** Shares of the connections; those that only a rough network has are 0 in another one. */
const REFUSED = 0.05;
const CUT_EARLY = 0.4;
/** Bytes: at most so many pass where a link is cut early; the mean of all others in a rough network. */
const EARLY = 20_000;
const SPAN = rough ? 1 << 20 : Number.POSITIVE_INFINITY;
const SLOW = rough ? 0.1 : 0;
const STALLED = rough ? 0.03 : 0;
/** Half of all live until they have carried a handshake at least, so that a busy machine gets through. */
const HANDSHAKE = 2000;
/** How often nobody listens for a while, behind a connection that was broken. */
const OUT_OF_REACH = rough ? 0.02 : 0;
/** Longest delays in milliseconds: of a chunk, of a listener that is away, of a stall until the link is reset. */
const DELAY = 10;
const AWAY = 60;
const STALL = 1000;

const tell = (message: FromProxy): void => void process.send?.(message);

const exponential = (mean: number): number => -Math.log(1 - random()) * mean;

class Pair {
  readonly #client: net.Socket;
  readonly #server: net.Socket;
  /** Bytes until it breaks: what is behind them is dropped. */
  #left = random() < CUT_EARLY ? Math.floor(random() * EARLY) : Math.floor(exponential(SPAN));
  readonly #delay = random() < SLOW ? random() * DELAY : 0;
  /** Bytes until its life is counted. */
  #young = random() < 0.5 ? 0 : HANDSHAKE;
  #stalled = false;

  constructor(client: net.Socket) {
    this.#client = client;
    this.#server = net.connect({ port: target, host: '127.0.0.1', noDelay: true });
    this.#server.on('error', () => undefined);
    pairs.add(this);
    this.#pass(this.#client, this.#server);
    this.#pass(this.#server, this.#client);
    if (this.#young === 0) this.#live();
  }

  #live(): void {
    setTimeout(() => this.#fail(), exponential(life)).unref();
  }

  #pass(from: net.Socket, to: net.Socket): void {
    from.on('data', (chunk) => {
      if (this.#stalled) return;
      this.#grow(chunk.length);
      this.#left -= chunk.length;
      if (this.#left < 0 && !calm) {
        to.write(chunk.subarray(0, this.#left));
        return this.end(random());
      }
      if (this.#delay === 0) return this.#write(from, to, chunk);
      from.pause();
      setTimeout(() => {
        from.resume();
        this.#write(from, to, chunk);
      }, this.#delay);
    });
    from.on('close', () => {
      if (this.#stalled) return;
      pairs.delete(this);
      to.destroySoon();
    });
  }

  #grow(bytes: number): void {
    if (this.#young <= 0) return;
    this.#young -= bytes;
    if (this.#young <= 0) this.#live();
  }

  #write(from: net.Socket, to: net.Socket, chunk: Buffer): void {
    if (to.write(chunk)) return;
    from.pause();
    to.once('drain', () => from.resume());
  }

  #fail(): void {
    if (calm) return;
    if (random() < STALLED) this.#stall();
    else this.end(random());
  }

  /** Nothing passes any more, and for a while nobody is told: only a heartbeat notices. */
  #stall(): void {
    if (!pairs.has(this)) return;
    this.#stalled = true;
    setTimeout(() => this.end(0), random() * STALL).unref();
  }

  end(how: number): void {
    if (!pairs.delete(this)) return;
    tell('broken');
    for (const socket of [this.#client, this.#server]) {
      // Node crashes when it resets a socket that is shutting down.
      if (how < 0.5 && !socket.writableEnded) socket.resetAndDestroy();
      else if (how < 0.75) socket.destroySoon();
      else socket.destroy();
    }
    if (random() < OUT_OF_REACH && proxy.listening) leave(random() * AWAY);
  }
}

const proxy = net.createServer({ noDelay: true }, (client) => {
  client.on('error', () => undefined);
  // As good as refused: gone before a byte was sent.
  if (!calm && random() < REFUSED) client.resetAndDestroy();
  else new Pair(client);
});

/** Really refused: for so many milliseconds nobody listens. */
function leave(ms: number): void {
  proxy.close();
  setTimeout(() => proxy.listen(port, '127.0.0.1'), ms);
}

process.on('message', (message: ToProxy) => {
  if (message === 'calm') calm = true;
  else for (const pair of pairs) pair.end(0);
});
process.on('disconnect', () => process.exit());

proxy.listen(0, '127.0.0.1');
await once(proxy, 'listening');
const { port } = proxy.address() as net.AddressInfo;
tell({ port });

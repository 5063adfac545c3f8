/** The far side of a chaos run, in a process of its own: an agent, a service that counts, and a server that echoes. */
import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import net from 'node:net';
import { Service, serve } from '../../src/index.ts';
import { agent as certificate } from '../kit/certificates.ts';
import { watchReplay } from './replay.ts';

export class Counter extends Service {
  static override readonly exposed: readonly string[] = ['count', 'countLater', 'size'];

  /** Answers at once. */
  count(call: number): number {
    counted[call] = (counted[call] ?? 0) + 1;
    return call;
  }

  /** Answers in a later turn: the answer may have to wait for the next link. */
  async countLater(call: number): Promise<number> {
    this.count(call);
    await new Promise((resolve) => setTimeout(resolve, call % 10));
    return call;
  }

  /** A call whose argument travels apart. */
  size(call: number, bytes: Uint8Array): number {
    this.count(call);
    return bytes.length;
  }
}

export interface FarReport {
  /** How often each call was carried out. */
  readonly counted: readonly number[];
  /** What its open descriptors are: 'socket', 'pipe', the path of a file. */
  readonly descriptors: readonly string[];
  /** Most bytes that were kept to be sent again. */
  readonly replay: number;
  readonly sessions: number;
}

export interface FarReady {
  readonly url: string;
  readonly echo: number;
}

const counted: number[] = [];
const replay = watchReplay();
const echo = net.createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
  socket.on('error', () => undefined);
  socket.pipe(socket);
});
echo.listen(0, '127.0.0.1');
await once(echo, 'listening');

const [scheme = 'tcp', heartbeat = '200'] = process.argv.slice(2);
const server = await serve({
  listen: `${scheme}://127.0.0.1:0`,
  service: new Counter(),
  heartbeat: Number(heartbeat),
  ...(scheme === 'tls' ? { tls: certificate } : {}),
});

/** None for the folder itself, which is gone by now. */
function kindOf(fd: string): string[] {
  try {
    return [readlinkSync(`/proc/self/fd/${fd}`).replace(/:\[.*/, '')];
  } catch {
    return [];
  }
}

process.on('message', () => {
  const report: FarReport = {
    counted,
    descriptors: readdirSync('/proc/self/fd').flatMap(kindOf).sort(),
    replay: replay.most,
    sessions: server.connections.length,
  };
  process.send?.(report);
});
process.on('disconnect', () => process.exit());
const ready: FarReady = { url: server.url, echo: (echo.address() as net.AddressInfo).port };
process.send?.(ready);

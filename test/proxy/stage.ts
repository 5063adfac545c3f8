/** An agent that alone knows some names, something to reach through it, and clients of a proxy. */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runProgram, startAgent, type TestAgent } from '../kit/agent.ts';

/** Leads to 127.0.0.9 for the agent alone: only root may give it a hosts file of its own. */
export const ONLY_THERE = 'only-there.example';
export const knowsNames: boolean = process.getuid?.() === 0;

export async function startNamedAgent(args: readonly string[] = []): Promise<TestAgent> {
  const folder = mkdtempSync(join(tmpdir(), 'elsewhere-proxy-'));
  const hosts = join(folder, 'hosts');
  writeFileSync(hosts, `127.0.0.1 localhost\n127.0.0.9 ${ONLY_THERE}\n`);
  const prefix = knowsNames
    ? ['unshare', '-m', 'sh', '-c', `mount --bind ${hosts} /etc/hosts && exec "$@"`, 'sh']
    : [];
  try {
    return await startAgent({ args, prefix });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Listens on every address of this machine, and sends all that it gets back. */
export async function startEcho(): Promise<{
  port: number;
  sockets: Set<net.Socket>;
  server: net.Server;
}> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    socket.pipe(socket);
  });
  server.listen(0, '0.0.0.0');
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, sockets, server };
}

const NAME = 3;

/** A request of a SOCKS client; the host goes as a name, whatever it is. */
export function socksRequest(command: number, host: string, port: number): Buffer {
  return Buffer.concat([
    Buffer.from([5, command, 0, NAME, host.length]),
    Buffer.from(host, 'latin1'),
    Buffer.from([port >> 8, port & 255]),
  ]);
}

/** Says hello to a SOCKS server and asks it for something; the socket, and the server's answer to that. */
export async function askSocks(
  proxyPort: number,
  request: Buffer,
): Promise<{ socket: net.Socket; answer: Buffer }> {
  const socket = net.connect({ port: proxyPort, host: '127.0.0.1', allowHalfOpen: true });
  socket.on('error', () => undefined);
  socket.write(Buffer.concat([Buffer.from([5, 1, 0]), request]));
  const heard = await take(socket, 2 + 4);
  const rest = await take(socket, (heard[5] === 4 ? 16 : 4) + 2);
  return { socket, answer: Buffer.concat([heard.subarray(2), rest]) };
}

/** The next bytes of a socket, exactly so many. */
export function take(socket: net.Socket, size: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const done = (settle: () => void): void => {
      socket.off('readable', look).off('close', gone).off('end', gone);
      settle();
    };
    const gone = (): void => done(() => reject(new Error('the proxy closed the connection')));
    const look = (): void => {
      const bytes = socket.read(size) as Buffer | null;
      if (bytes !== null) done(() => resolve(bytes));
    };
    socket.on('readable', look).on('close', gone).on('end', gone);
    look();
  });
}

/** Undefined where there is no curl. */
export async function curlVersion(): Promise<string | undefined> {
  try {
    return (await runProgram('curl', ['--version'])).stdout;
  } catch {
    return undefined;
  }
}

export async function curl(...args: string[]): Promise<{ code: number | null; stdout: string }> {
  return runProgram('curl', ['--silent', '--show-error', '--max-time', '8', ...args], {
    env: { no_proxy: '', NO_PROXY: '' },
  });
}

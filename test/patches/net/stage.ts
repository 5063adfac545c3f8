/** Runs a scenario twice, on a local socket and on one of the far side: the two logs of events must be the same. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { type ConnectionPair, connectPair, withRemote } from '../../../src/index.ts';
import type { Suite } from '../../kit/suite.ts';
import { Recorder } from './recorder.ts';

export interface Stage {
  readonly log: Recorder;
  /** Starts a server for this run; its connections do what `serve` says. */
  server(
    serve: (socket: net.Socket) => void,
    options?: net.ServerOpts,
    host?: string,
  ): Promise<number>;
  /** A socket whose events are written down. */
  socket(options?: net.SocketConstructorOpts): net.Socket;
}

export type Scenario = (stage: Stage) => Promise<unknown>;

async function run(scenario: Scenario, pair: ConnectionPair | undefined): Promise<string[]> {
  const log = new Recorder();
  const servers: net.Server[] = [];
  const sockets: net.Socket[] = [];
  const stage: Stage = {
    log,
    server: async (serve, options = {}, host = '127.0.0.1') => {
      const server = net.createServer(options, (socket) => {
        sockets.push(socket);
        socket.on('error', (error: NodeJS.ErrnoException) =>
          log.note(`server error ${error.code}`),
        );
        serve(socket);
      });
      servers.push(server);
      server.listen(0, host);
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
    if (pair !== undefined) await withRemote(pair.near, () => scenario(stage));
    else await scenario(stage);
  } finally {
    for (const socket of sockets) socket.destroy();
    for (const server of servers) server.close();
  }
  return log.lines;
}

export interface Expectation {
  /** Lines that are known to differ. */
  readonly except?: RegExp;
  /** Over before anything is dialled. */
  readonly neverDials?: boolean;
}

export type Declare = (name: string, body: Scenario, expected?: Expectation) => void;

/** Declares scenarios in `test`. */
export function scenarios(test: Suite): Declare {
  let pair: ConnectionPair;
  test.before(async () => {
    pair = await connectPair();
  });
  test.after(async () => {
    await pair.near.close();
    await pair.far.close();
  });
  return (name: string, body: Scenario, { except, neverDials = false }: Expectation = {}) => {
    test(name, async () => {
      const told = (line: string): boolean => except === undefined || !except.test(line);
      const local = (await run(body, undefined)).filter(told);
      const before = pair.near.stats().packetsSent;
      const remote = (await run(body, pair)).filter(told);
      assert.ok(local.length > 0, 'the scenario wrote nothing down');
      assert.deepEqual(remote, local);
      assert.equal(pair.near.stats().packetsSent > before, !neverDials, 'where it was dialled');
    });
  };
}

export const closed = (socket: net.Socket): Promise<unknown> =>
  new Promise((resolve) => socket.once('close', resolve));
/** A port that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** A lookup that always finds these. */
export function found(...addresses: string[]): net.LookupFunction {
  const all = addresses.map((address) => ({ address, family: net.isIP(address) }));
  return (_host, _options, done) => process.nextTick(done, null, all);
}

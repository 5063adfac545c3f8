/** Small calls: one after the other, and with 1,000 in flight, beside a raw ws echo and capnweb. */
import { once } from 'node:events';
import { promises as fs } from 'node:fs';
import { newWebSocketRpcSession, type RpcStub } from 'capnweb';
import { type Connection, withRemote } from 'elsewhere';
import { WebSocket } from 'ws';
import type { Benchmark, Run } from './benchmark.ts';
import type { CapnwebApi } from './peers/capnweb.ts';
import type { Contestant } from './rounds.ts';
import type { Stage } from './stage.ts';

export const IN_FLIGHT = 1000;

/** One call; `done` is called when its answer is there. */
type Call = (done: () => void) => void;

export interface Caller {
  readonly name: string;
  readonly call: Call;
  readonly pids: readonly number[];
  /** Calls of one run with 1,000 in flight. */
  readonly many: number;
}

export const calls: Benchmark = {
  name: 'calls',
  title: 'small calls over ws, tcp and unix beside a raw ws echo and capnweb',
  async run(run) {
    const { stage } = run;
    const others = [await wsEcho(stage), await capnweb(stage)];
    const links = {
      ws: await stage.link('ws'),
      tcp: await stage.link('tcp'),
      unix: await stage.link('unix'),
    };
    const ours = Object.entries(links).map(([scheme, { connection, pids }]) => ({
      name: `elsewhere ${scheme}, request`,
      call: request(connection),
      pids,
      many: 40_000,
    }));
    const { connection, pids } = links.ws;
    ours.push({ name: 'elsewhere ws, ping()', call: ping(connection), pids, many: 40_000 });
    await both(run, 'call', [...others, ...ours]);
    // Apart and last: on Node 20 every promise of a process costs more from its first scope on, those of others too.
    const stats = Object.entries(links).map(([scheme, link]) => ({
      name: `elsewhere ${scheme}, fs.promises.stat`,
      call: stat(link.connection),
      pids: link.pids,
      many: 20_000,
    }));
    await both(run, 'stat', [...others.slice(0, 1), ...stats]);
  },
};

async function both(run: Run, what: string, callers: readonly Caller[]): Promise<void> {
  const few = run.scaled(2000);
  await run.compete({
    name: `${what}, sequential`,
    unit: 'us',
    contestants: callers.map((caller) => contestant(caller, few, 1)),
  });
  await run.compete({
    name: `${what}, 1,000 in flight`,
    unit: 'per s',
    contestants: callers.map((caller) => contestant(caller, run.scaled(caller.many), IN_FLIGHT)),
  });
}

export function contestant(
  { name, call, pids }: Caller,
  ops: number,
  inFlight: number,
): Contestant {
  return { name, ops, pids, run: () => keepInFlight(call, ops, inFlight) };
}

function keepInFlight(call: Call, total: number, inFlight: number): Promise<void> {
  return new Promise((resolve) => {
    let started = 0;
    let finished = 0;
    const done = (): void => {
      finished++;
      if (started < total) next();
      else if (finished === total) resolve();
    };
    const next = (): void => {
      started++;
      call(done);
    };
    while (started < Math.min(inFlight, total)) next();
  });
}

export async function wsEcho(stage: Stage): Promise<Caller> {
  const { ready, pid } = await stage.peer<number>('ws-echo');
  const socket = await dial(stage, ready);
  const waiting: (() => void)[] = [];
  let first = 0;
  socket.on('message', () => {
    const done = waiting[first++];
    if (first === waiting.length) first = waiting.length = 0;
    done?.();
  });
  // As long as the frame of a small call.
  const message = Buffer.alloc(32, 1);
  const call: Call = (done) => {
    waiting.push(done);
    socket.send(message);
  };
  return { name: 'raw ws echo', call, pids: [pid], many: 10_000 };
}

export async function capnweb(stage: Stage): Promise<Caller & { api: RpcStub<CapnwebApi> }> {
  const { ready, pid } = await stage.peer<number>('capnweb');
  const socket = await dial(stage, ready);
  // Node 20 has no WebSocket of its own, of which capnweb wants the constants.
  Object.assign(globalThis, { WebSocket: globalThis.WebSocket ?? WebSocket });
  const api: RpcStub<CapnwebApi> = newWebSocketRpcSession<CapnwebApi>(
    socket as unknown as globalThis.WebSocket,
  );
  stage.defer(() => api[Symbol.dispose]());
  const call: Call = (done) => void api.ping().then(done);
  return { name: 'capnweb', call, pids: [pid], many: 4000, api };
}

export async function dial(stage: Stage, port: number): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false });
  stage.defer(() => socket.terminate());
  await once(socket, 'open');
  return socket;
}

export function request({ channel }: Connection): Call {
  return (done) => void channel.request('session.ping', [], done);
}

function ping(connection: Connection): Call {
  return (done) => void connection.ping().then(done);
}

function stat(connection: Connection): Call {
  return (done) => void withRemote(connection, () => fs.stat('/')).then(() => done());
}

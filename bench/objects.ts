/** References and services beside RPyC and capnweb: calls, paths, callbacks, iteration, data, bytes. */
import { once } from 'node:events';
import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { newWebSocketRpcSession, type RpcStub } from 'capnweb';
import { type Connection, connect } from 'elsewhere';
import { WebSocket } from 'ws';
import type { Benchmark, Run } from './benchmark.ts';
import type { CapnwebApi } from './peers/capnweb.ts';
import type { Bench } from './peers/objects.ts';
import type { Contestant, Unit } from './rounds.ts';
import { type Rpyc, startRpyc } from './rpyc.ts';
import type { Stage } from './stage.ts';

const MB = 1_048_576;
const IN_FLIGHT = 1000;

/** One thing to do, by each contestant in its own way; what it cannot do is left out. */
interface Line {
  readonly name: string;
  readonly unit: Unit;
  /** Operations of one run of ours, and of the others, who would take too long. */
  readonly ops: number;
  readonly fewer: number;
  ours(conn: Connection<Bench>, ops: number): Promise<void>;
  capnweb?(api: RpcStub<CapnwebApi>, ops: number): Promise<void>;
  /** Functions of peers/rpyc_peer.py, the fastest way that a user of RPyC has last. */
  readonly rpyc: readonly string[];
}

const LINES: readonly Line[] = [
  {
    name: 'small call',
    unit: 'us',
    ops: 4000,
    fewer: 1000,
    rpyc: ['small_call', 'hoisted'],
    async ours({ root }, ops) {
      for (let i = 0; i < ops; i++) await root.add(i, 1);
    },
    async capnweb(api, ops) {
      for (let i = 0; i < ops; i++) await api.add(i, 1);
    },
  },
  {
    name: 'path of four names',
    unit: 'us',
    ops: 4000,
    fewer: 500,
    rpyc: ['dotted'],
    async ours({ root }, ops) {
      for (let i = 0; i < ops; i++) await root.tree.branch.leaf.size(i);
    },
    async capnweb(api, ops) {
      for (let i = 0; i < ops; i++) await api.tree.branch.leaf.size(i);
    },
  },
  {
    name: 'callback',
    unit: 'us',
    ops: 2000,
    fewer: 500,
    rpyc: ['callback'],
    async ours({ root }, ops) {
      for (let i = 0; i < ops; i++) await root.callback((x) => x + 1, i);
    },
    async capnweb(api, ops) {
      for (let i = 0; i < ops; i++) await api.callback((x: number) => x + 1, i);
    },
  },
  {
    name: '1,000 calls in flight',
    unit: 'per s',
    ops: 20_000,
    fewer: 2000,
    rpyc: ['pipelined'],
    ours: ({ root }, ops) => inFlight((i) => root.add(i, 1), ops),
    capnweb: (api, ops) => inFlight((i) => api.add(i, 1), ops),
  },
  {
    name: 'iteration, items',
    unit: 'per s',
    ops: 10_000,
    fewer: 2000,
    rpyc: ['iterate', 'buffered'],
    async ours({ root }, ops) {
      let items = 0;
      for await (const _item of root.items(ops)) items++;
      if (items !== ops) throw new Error(`${items} items have come`);
    },
  },
  {
    name: 'small objects of a list',
    unit: 'per s',
    ops: 150_000,
    fewer: 1500,
    rpyc: ['records', 'obtained'],
    async ours({ root }, ops) {
      check(await root.records(ops), ops);
    },
    async capnweb(api, ops) {
      check(await api.records(ops), ops);
    },
  },
  {
    name: 'download',
    unit: 'MB/s',
    ops: 256,
    fewer: 2,
    rpyc: ['download'],
    async ours({ root }, ops) {
      let bytes = 0;
      for await (const chunk of (await root.open(ops * MB)) as AsyncIterable<Buffer>)
        bytes += chunk.length;
      if (bytes !== ops * MB) throw new Error(`${bytes} bytes have come`);
    },
  },
];

export const objects: Benchmark = {
  name: 'objects',
  title: 'calls, paths, callbacks, iteration, data and bytes beside RPyC and capnweb',
  async run(run) {
    const { stage } = run;
    const file = join(stage.folder(), 'large');
    writeFileSync(file, '');
    truncateSync(file, 256 * MB);
    const rpyc = await startRpyc(stage, file, run.note);
    const { ready: urls, pid } = await stage.peer<string[]>('objects', [file]);
    const links = await Promise.all(urls.map((url) => connect<Bench>(url)));
    for (const link of links) stage.defer(() => link.close());
    const api = await dialCapnweb(stage);
    for (const line of LINES)
      await run.compete({
        name: line.name,
        unit: line.unit,
        contestants: [
          ...(rpyc === undefined ? [] : byRpyc(run, line, rpyc)),
          ...links.map((link, i) => byUs(run, line, link, urls[i] ?? '', pid)),
          ...byCapnweb(run, line, api),
        ],
      });
  },
};

function byUs(run: Run, line: Line, link: Connection<Bench>, url: string, pid: number): Contestant {
  const ops = run.scaled(line.ops);
  const scheme = url.slice(0, url.indexOf(':'));
  return { name: `elsewhere ${scheme}`, ops, pids: [pid], run: () => line.ours(link, ops) };
}

function byRpyc(run: Run, line: Line, { run: tell, pids }: Rpyc): Contestant[] {
  const ops = run.scaled(line.fewer);
  return line.rpyc.map((what) => ({
    name: `RPyC, ${what}`,
    ops,
    pids,
    run: () => tell(what, ops),
  }));
}

function byCapnweb(
  run: Run,
  line: Line,
  api: { stub: RpcStub<CapnwebApi>; pid: number },
): Contestant[] {
  const { capnweb } = line;
  if (capnweb === undefined) return [];
  const ops = run.scaled(line.ops);
  return [{ name: 'capnweb', ops, pids: [api.pid], run: () => capnweb(api.stub, ops) }];
}

async function dialCapnweb(stage: Stage): Promise<{ stub: RpcStub<CapnwebApi>; pid: number }> {
  const { ready, pid } = await stage.peer<number>('capnweb');
  const socket = new WebSocket(`ws://127.0.0.1:${ready}`, { perMessageDeflate: false });
  stage.defer(() => socket.terminate());
  await once(socket, 'open');
  // Node 20 has no WebSocket of its own, of which capnweb wants the constants.
  Object.assign(globalThis, { WebSocket: globalThis.WebSocket ?? WebSocket });
  const stub = newWebSocketRpcSession<CapnwebApi>(socket as unknown as globalThis.WebSocket);
  stage.defer(() => stub[Symbol.dispose]());
  return { stub, pid };
}

function check(records: readonly { readonly id: number }[], ops: number): void {
  const total = records.reduce((sum, { id }) => sum + id, 0);
  if (total !== (ops * (ops - 1)) / 2) throw new Error('not the records that were asked for');
}

async function inFlight(call: (i: number) => PromiseLike<unknown>, ops: number): Promise<void> {
  for (let start = 0; start < ops; start += IN_FLIGHT) {
    const calls: PromiseLike<unknown>[] = [];
    for (let i = start; i < Math.min(ops, start + IN_FLIGHT); i++) calls.push(call(i));
    await Promise.all(calls);
  }
}

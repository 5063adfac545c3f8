import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { Mux } from '../../src/transport/mux.ts';
import type { Transport } from '../../src/transport/transport.ts';
import { Kind, MAX_PACKET } from '../../src/wire/message.ts';
import { record } from './recorder.ts';
import { transportSuite } from './suite.ts';

const sockets: Socket[] = [];

interface Pipes {
  readonly near: Mux;
  readonly far: Mux;
  readonly toNear: Socket;
  /** The next link that the far side accepts. */
  accepted(): Promise<Transport>;
}

/** Sockets, since the streams of one process would hand over inside a write. */
async function socketPair(): Promise<[Socket, Socket]> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const near = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [far] = await accepted;
  server.close();
  return [near, far];
}

async function pipes(preamble = ''): Promise<Pipes> {
  const [toFar, toNear] = await socketPair();
  sockets.push(toFar, toNear);
  toNear.write(preamble);
  const waiting: ((transport: Transport) => void)[] = [];
  const near = new Mux({ input: toFar, output: toFar, description: 'near' });
  const far = new Mux({
    input: toNear,
    output: toNear,
    description: 'far',
    accept: (transport) => waiting.shift()?.(transport),
  });
  return { near, far, toNear, accepted: () => new Promise((resolve) => waiting.push(resolve)) };
}

let opened = 0;
let current: Pipes;
const test = transportSuite({
  name: 'mux',
  pair: async () => {
    // A pipe has numbers for 255 links.
    if (opened++ % 200 === 0) current = await pipes('Welcome!\nelsewhere is not here yet\n');
    const far = current.accepted();
    return [current.near.open(), await far];
  },
});

test.after(() => {
  for (const socket of sockets) socket.destroy();
});

test('a link whose reader pauses holds up no other one', async () => {
  const { near, accepted } = await pipes();
  const [first, second] = [accepted(), accepted()];
  const [one, other] = [near.open(), near.open()];
  const [stalled, read] = [await first, await second];
  stalled.pause();
  stalled.setLimit(MAX_PACKET);
  for (let i = 0; i < 8; i++) one.send(Kind.RPC, Buffer.alloc(1 << 20));
  other.send(Kind.RPC, Buffer.from('through'));
  const log = record(read);
  await log.received(1);
  assert.ok(one.buffered > 0);
});

test('what prints into the pipe later ends its links with what is wrong', async () => {
  const { near, accepted, toNear } = await pipes();
  const far = accepted();
  const log = record(near.open());
  await far;
  toNear.write('a stray line of output\n');
  assert.match(String(await log.closed()), /something else wrote into the pipe/);
});

test.run();

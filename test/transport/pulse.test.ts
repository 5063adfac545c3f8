// A second thread writes between the packets of the one that owns the socket, never within them.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { signsOfLife } from '../../src/transport/pulse.ts';
import { writePacket } from '../../src/transport/writing.ts';
import { packetHeader, StreamPacketReader } from '../../src/wire/frame.ts';
import { Kind, MAX_PACKET } from '../../src/wire/message.ts';
import { suite } from '../kit/suite.ts';

const test = suite('transport/pulse');
/** As short as it gets: a sign at every tenth of a second in which the thread does not come to its timers. */
const INTERVAL = 1;
const SIGN = packetHeader(Kind.ALIVE, 0);

async function pair(): Promise<[net.Socket, net.Socket, net.Server]> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const near = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
  const [far] = (await once(server, 'connection')) as [net.Socket];
  return [near, far, server];
}

function compute(ms: number): void {
  for (const until = performance.now() + ms; performance.now() < until; );
}

test('packets of a thread that is busy between its writes arrive whole, with signs between them', async () => {
  const [near, far, server] = await pair();
  let signs = 0;
  const sizes: number[] = [];
  const reader = new StreamPacketReader((kind, body) => {
    if (kind === Kind.ALIVE) signs++;
    else sizes.push(body.length);
  });
  reader.limit = MAX_PACKET;
  far.on('data', (chunk) => reader.push(chunk));
  signsOfLife(near, SIGN, INTERVAL);
  const sent: number[] = [];
  for (let i = 0; signs < 5 || i < 40; i++) {
    // Some of them more than the kernel takes at once.
    const size = (i % 4) * 250_000;
    writePacket(near, packetHeader(Kind.RPC, size), Buffer.alloc(size));
    compute(i % 3 === 0 ? 250 : 1);
    writePacket(near, packetHeader(Kind.RPC, 10), Buffer.alloc(10));
    sent.push(size, 10);
    compute(i % 5 === 0 ? 250 : 1);
    await turn();
  }
  near.end();
  await once(far, 'close');
  assert.deepEqual(sizes, sent);
  server.close();
});

test('nothing is written to a descriptor that was given back', async () => {
  const [near, far, server] = await pair();
  signsOfLife(near, SIGN, INTERVAL);
  near.destroy();
  await once(far.resume(), 'close');
  // They get the numbers of the two that are closed.
  const [other, end, listening] = await pair();
  let bytes = 0;
  end.on('data', (chunk) => (bytes += chunk.length));
  compute(500);
  other.end();
  await once(end, 'close');
  assert.equal(bytes, 0);
  for (const each of [server, listening]) each.close();
});

test('the other thread ends with the last socket that it watches, and starts again', async () => {
  for (let i = 0; i < 2; i++) {
    const [near, far, server] = await pair();
    const read = once(far, 'data');
    signsOfLife(near, SIGN, INTERVAL);
    while (far.bytesRead === 0) {
      compute(300);
      await turn();
    }
    assert.deepEqual((await read)[0].subarray(0, SIGN.length), Buffer.from(SIGN));
    near.destroy();
    server.close();
  }
});

test.run();

import assert from 'node:assert/strict';
import { Kind, LAST_KIND, Limit, MAX_PACKET } from '../../src/wire/message.ts';
import { type Links, listenOn } from './links.ts';
import { codeOf, record } from './recorder.ts';
import { transportSuite } from './suite.ts';

let links: Links;
const test = transportSuite({ name: 'ws', pair: () => links.pair(), resource: 'TCPSocketWrap' });
test.before(async () => {
  links = await listenOn('ws://127.0.0.1:0');
});
test.after(() => links.close());

const FIN = 0x80;
const [CONTINUED, TEXT, BINARY] = [0, 1, 2];

/** A frame of RFC 6455 with a mask of zeros, unless told otherwise. */
function frame(first: number, body: Buffer, mask = true): Buffer {
  const length = Buffer.alloc(9);
  length[0] = (mask ? 0x80 : 0) | 127;
  length.writeUInt32BE(body.length, 5);
  return Buffer.concat([Buffer.of(first), length, Buffer.alloc(mask ? 4 : 0), body]);
}

const packet = Buffer.from([Kind.RPC, 1, 2, 3]);
const overLimit = frame(FIN | BINARY, Buffer.alloc(Limit.HANDSHAKE + 2));
const huge = frame(FIN | BINARY, Buffer.alloc(MAX_PACKET + 1));

for (const [what, bytes] of [
  ['a text message', frame(FIN | TEXT, Buffer.from('hello'))],
  ['an empty message', frame(FIN | BINARY, Buffer.alloc(0))],
  ['an unknown kind', frame(FIN | BINARY, Buffer.of(LAST_KIND + 1))],
  ['a frame without a mask', frame(FIN | BINARY, packet, false)],
  ['a compressed frame', frame(FIN | 0x40 | BINARY, packet)],
  ['a reserved opcode', frame(FIN | 3, packet)],
  ['a continuation of nothing', frame(FIN | CONTINUED, packet)],
  [
    'a fragmented message',
    Buffer.concat([frame(BINARY, packet), frame(FIN | CONTINUED, Buffer.of(4))]),
  ],
  ['a message over the size of any packet', huge.subarray(0, 100)],
  // Nothing of its body is waited for.
  ['the head of a message over the limit', overLimit.subarray(0, 14)],
] as const) {
  test(`a client that sends ${what} is cut off`, async () => {
    const [far, peer] = await links.raw();
    const log = record(far);
    peer.write(bytes);
    assert.equal(codeOf(await log.closed()), 'ERR_ELSEWHERE_PROTOCOL');
    assert.equal(log.packets.length, 0);
    peer.destroy();
  });
}

test('good frames are packets, split however they like', async () => {
  const [far, peer] = await links.raw();
  const log = record(far);
  const bytes = frame(FIN | BINARY, packet);
  peer.write(bytes.subarray(0, 7));
  await new Promise((resolve) => setImmediate(resolve));
  peer.write(bytes.subarray(7));
  await log.received(1);
  assert.deepEqual(log.packets, [{ kind: Kind.RPC, body: packet.subarray(1) }]);
  peer.destroy();
  await log.closed();
});

test('masked messages and plain ones are packets in the order in which they were sent', async () => {
  const [far, peer] = await links.raw();
  const log = record(far);
  const key = Buffer.of(7, 0, 255, 1);
  const masked = frame(
    FIN | BINARY,
    packet.map((byte, i) => byte ^ (key[i % 4] as number)) as Buffer,
  );
  key.copy(masked, masked.length - packet.length - 4);
  const other = frame(FIN | BINARY, Buffer.from([Kind.RPC, 9]));
  const ping = Buffer.concat([Buffer.of(FIN | 9, 0x84, 0, 0, 0, 0), Buffer.from('ping')]);
  const all = Buffer.concat([masked, other, ping, masked, other]);
  peer.write(all.subarray(0, 12));
  await new Promise((resolve) => setImmediate(resolve));
  peer.write(all.subarray(12));
  await log.received(4);
  const [first, second] = [packet.subarray(1), Buffer.of(9)].map((body) => ({
    kind: Kind.RPC,
    body,
  }));
  assert.deepEqual(log.packets, [first, second, first, second]);
  peer.destroy();
  await log.closed();
});

test('a packet behind a frame that breaks the protocol is not taken', async () => {
  const [far, peer] = await links.raw();
  const log = record(far);
  // A ping that tells its length in a form which only long messages may have.
  peer.write(Buffer.concat([frame(FIN | 9, Buffer.from('ping')), frame(FIN | BINARY, packet)]));
  assert.equal(codeOf(await log.closed()), 'ERR_ELSEWHERE_PROTOCOL');
  assert.deepEqual(log.packets, []);
  peer.destroy();
});

test('a client that vanishes ends it', async () => {
  const [far, peer] = await links.raw();
  const log = record(far);
  peer.resetAndDestroy();
  await log.closed();
});

test.run();

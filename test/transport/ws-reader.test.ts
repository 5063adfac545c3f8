/** Which frames of a WebSocket are packets for us, and which are left to the ws package, however the bytes are cut. */
import assert from 'node:assert/strict';
import { MessageReader } from '../../src/transport/ws-reader.ts';
import { Kind, LAST_KIND, Limit } from '../../src/wire/message.ts';
import { FIN, messageHead, Opcode } from '../../src/wire/ws-head.ts';
import { fc } from '../kit/random.ts';
import { suite } from '../kit/suite.ts';

const test = suite('transport/ws-reader');

interface Read {
  readonly packets: string[];
  /** Bytes for the ws package. */
  readonly other: Buffer;
}

function read(chunks: readonly Uint8Array[], fromClient = true): Read {
  const packets: string[] = [];
  const others: Buffer[] = [];
  const reader = new MessageReader(
    fromClient,
    (kind, body) => packets.push(`${kind}:${Buffer.from(body).toString('hex')}`),
    (bytes) => others.push(Buffer.from(bytes)),
  );
  reader.limit = Limit.DATA;
  for (const chunk of chunks) {
    const memory = Buffer.from(chunk);
    reader.push(memory);
    // The system uses its memory again.
    memory.fill(0xff);
  }
  return { packets, other: Buffer.concat(others) };
}

function message(opcode: number, body: Uint8Array, masked = true): Buffer {
  const [bytes, start] = messageHead(opcode, body.length, masked, body.length);
  bytes.set(body, start);
  return bytes;
}

/** Its mask changes bytes. */
function scrambled(body: Uint8Array): Buffer {
  const bytes = message(Opcode.BINARY, body);
  bytes[bytes.length - body.length - 1] = 7;
  return bytes;
}

const packetOf = (kind: number, body: Uint8Array): Buffer =>
  message(Opcode.BINARY, Buffer.concat([Buffer.of(kind), body]));

const bodies = fc
  .tuple(fc.nat(255), fc.oneof(fc.nat(200), fc.nat(70_000)))
  .map(([fill, length]) => Buffer.alloc(length, fill));
const frames = fc.oneof(
  fc.record({ kind: fc.integer({ min: 1, max: LAST_KIND }), body: bodies }),
  fc.constantFrom(
    message(Opcode.PING, Buffer.from('here?')),
    message(Opcode.PONG, Buffer.alloc(125)),
    scrambled(Buffer.from('\x01hidden')),
  ),
);

test('packets come in order, pings and real masks go to ws whole, wherever the bytes are cut', () => {
  return fc.assert(
    fc.property(
      fc.array(frames, { maxLength: 12 }),
      fc.array(fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 90_000 })), {
        maxLength: 20,
      }),
      (sent, sizes) => {
        const bytes = Buffer.concat(
          sent.map((frame) => ('kind' in frame ? packetOf(frame.kind, frame.body) : frame)),
        );
        const chunks: Buffer[] = [];
        let at = 0;
        for (const size of sizes) {
          chunks.push(bytes.subarray(at, at + size));
          at += size;
        }
        chunks.push(bytes.subarray(at));
        const { packets, other } = read(chunks);
        const expected = sent.flatMap((frame) =>
          'kind' in frame ? [`${frame.kind}:${frame.body.toString('hex')}`] : [],
        );
        assert.deepEqual(packets, expected);
        const left = sent.flatMap((frame) => ('kind' in frame ? [] : [frame]));
        assert.ok(other.equals(Buffer.concat(left)));
      },
    ),
    { numRuns: 60 },
  );
});

const good = packetOf(Kind.RPC, Buffer.from('after'));
for (const [what, bytes] of Object.entries({
  'a close': message(Opcode.CLOSE, Buffer.of(3, 232)),
  'a text': message(Opcode.TEXT, Buffer.from('hello')),
  'the first part of a message': Buffer.concat([
    Buffer.of(Opcode.BINARY),
    message(Opcode.BINARY, Buffer.of(1)).subarray(1),
  ]),
  'a reserved bit': Buffer.concat([
    Buffer.of(FIN | 0x40 | Opcode.BINARY),
    message(Opcode.BINARY, Buffer.of(1)).subarray(1),
  ]),
  'a message without a mask': message(Opcode.BINARY, Buffer.of(Kind.RPC, 1), false),
  'a message over the limit': messageHead(Opcode.BINARY, Limit.DATA + 2, true, 0)[0],
})) {
  test(`${what} and what follows is left to ws`, () => {
    const { packets, other } = read([bytes, good]);
    assert.deepEqual(packets, []);
    assert.ok(other.equals(Buffer.concat([bytes, good])));
  });
}

test('an unknown kind and an empty message go to ws, what follows does not', () => {
  for (const bytes of [
    packetOf(LAST_KIND + 1, Buffer.of(1)),
    message(Opcode.BINARY, Buffer.of()),
  ]) {
    const { packets, other } = read([bytes, good]);
    assert.ok(other.equals(bytes));
    assert.equal(packets.length, 1);
  }
});

test('a client takes messages without a mask, and none with one', () => {
  const plain = message(Opcode.BINARY, Buffer.of(Kind.RPC, 1), false);
  assert.deepEqual(read([plain], false), { packets: [`${Kind.RPC}:01`], other: Buffer.alloc(0) });
  assert.deepEqual(read([good], false).packets, []);
});

test.run();

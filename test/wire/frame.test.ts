import assert from 'node:assert/strict';
import { packetHeader, StreamPacketReader } from '../../src/wire/frame.ts';
import { LAST_KIND, Limit } from '../../src/wire/message.ts';
import { fc } from '../kit/random.ts';
import { suite } from '../kit/suite.ts';

const test = suite('wire/frame');

interface Packet {
  readonly kind: number;
  readonly body: Buffer;
}

/** The packets in these chunks; a body that is not owned is only good during the call. */
function read(chunks: readonly Uint8Array[], limit: number = Limit.HANDSHAKE): Packet[] {
  const packets: Packet[] = [];
  const owned: { body: Uint8Array; copy: Buffer }[] = [];
  const reader = new StreamPacketReader((kind, body, mine) => {
    packets.push({ kind, body: Buffer.from(body) });
    if (mine) owned.push({ body, copy: Buffer.from(body) });
  });
  reader.limit = limit;
  for (const chunk of chunks) {
    const memory = Buffer.from(chunk);
    reader.push(memory);
    // The system reuses its buffers: what is owned must not lie in them.
    memory.fill(0xff);
  }
  for (const { body, copy } of owned) assert.ok(copy.equals(body));
  return packets;
}

const bytesOf = ({ kind, body }: Packet): Buffer =>
  Buffer.concat([packetHeader(kind, body.length), body]);

function cut(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  let at = 0;
  for (let i = 0; at < bytes.length; i++) {
    const size = sizes.length === 0 ? bytes.length : (sizes[i % sizes.length] as number);
    chunks.push(bytes.subarray(at, at + size));
    at += size;
  }
  return chunks;
}

const packet = fc
  .tuple(fc.integer({ min: 1, max: LAST_KIND }), fc.uint8Array({ maxLength: 300 }))
  .map(([kind, bytes]) => ({ kind, body: Buffer.from(bytes) }));

test('any cut of the byte stream gives the same packets', () => {
  void fc.assert(
    fc.property(
      fc.array(packet, { maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 400 }), { maxLength: 6 }),
      (packets, sizes) => {
        const stream = Buffer.concat(packets.map(bytesOf));
        assert.deepEqual(read(cut(stream, sizes)), packets);
      },
    ),
    { numRuns: 500 },
  );
});

test('bytes that are read to where they belong give the same packets', () => {
  void fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 300_000 }), { minLength: 1, maxLength: 6 }),
      fc.array(fc.integer({ min: 1, max: 90_000 }), { minLength: 1, maxLength: 6 }),
      (lengths, sizes) => {
        const packets = lengths.map((length, i) => ({
          kind: 16,
          body: Buffer.alloc(length, i + 1),
        }));
        const stream = Buffer.concat(packets.map(bytesOf));
        const memory = Buffer.alloc(90_000);
        const got: Packet[] = [];
        const reader = new StreamPacketReader((kind, body) =>
          got.push({ kind, body: Buffer.from(body) }),
        );
        reader.limit = 300_000;
        for (let at = 0, i = 0; at < stream.length; i++) {
          const { room = memory } = reader;
          const read = stream.copy(room, 0, at, at + (sizes[i % sizes.length] as number));
          if (room === memory) reader.push(memory.subarray(0, read));
          else reader.filled(read);
          at += read;
        }
        assert.equal(got.length, packets.length);
        for (const [i, { body }] of got.entries())
          assert.ok(body.equals(packets[i]?.body as Buffer));
      },
    ),
    { numRuns: 50 },
  );
});

test('a byte at a time', () => {
  const packets = [Buffer.alloc(0), Buffer.from('x'), Buffer.alloc(Limit.HANDSHAKE, 7)].map(
    (body) => ({ kind: 16, body }),
  );
  assert.deepEqual(read(cut(Buffer.concat(packets.map(bytesOf)), [1])), packets);
});

test('a length over the limit is refused before its body is there', () => {
  for (const length of [Limit.HANDSHAKE + 1, 0x7fff_ffff, 0xffff_fffe])
    assert.throws(() => read([packetHeader(16, length)]), {
      code: 'ERR_ELSEWHERE_PROTOCOL',
      message: /at most 4096/,
    });
  assert.deepEqual(read([packetHeader(16, Limit.HANDSHAKE)]), []);
});

test('an unknown kind and a packet without one are refused', () => {
  for (const header of [
    packetHeader(0, 1),
    packetHeader(LAST_KIND + 1, 1),
    Buffer.from([0, 0, 0, 0, 16]),
  ])
    assert.throws(() => read([header]), {
      code: 'ERR_ELSEWHERE_PROTOCOL',
      message: /unknown kind/,
    });
});

test('other protocols are named, however their first bytes are cut; later on the same bytes are data', () => {
  for (const [text, name] of [
    ['GET / HTTP/1.1', 'HTTP'],
    ['HTTP/1.1 400', 'HTTP'],
    ['SSH-2.0', 'SSH'],
    ['\x16\x03\x01\x02\x00', 'TLS'],
  ] as const) {
    for (const size of [4, 100])
      assert.throws(() => read(cut(Buffer.from(text, 'latin1'), [size])), {
        code: 'ERR_ELSEWHERE_PROTOCOL',
        message: new RegExp(`looks like ${name}`),
      });
  }
  const first = bytesOf({ kind: 16, body: Buffer.alloc(0) });
  // 0x0316 = 790 bytes: the length looks like a TLS record.
  const second = bytesOf({ kind: 16, body: Buffer.alloc(0x0316 - 1) });
  assert.equal(read([first, second]).length, 2);
});

test.run();

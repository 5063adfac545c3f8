/** Mutated bytes of links against the readers of packets: what may come of them are packets, bytes left over, or a refusal. */
import assert from 'node:assert/strict';
import { MessageReader } from '../../src/transport/ws-reader.ts';
import { packetHeader, StreamPacketReader } from '../../src/wire/frame.ts';
import { Kind, LAST_KIND, Limit } from '../../src/wire/message.ts';
import { FIN, messageHead, Opcode } from '../../src/wire/ws-head.ts';
import { mutated, randomNumbers } from './mutation.ts';

export interface LinkReport {
  readonly streams: number;
  readonly packets: number;
  /** Bytes that were left to the ws package. */
  readonly passed: number;
  readonly refused: number;
  /** Milliseconds of the slowest. */
  readonly slowest: number;
}

type Random = (below: number) => number;

const LIMIT: number = Limit.DATA;
/** Milliseconds: what seems to take longer is looked at again. */
const SLOW = 10;

function message(opcode: number, body: Uint8Array, masked: boolean): Buffer {
  const [bytes, start] = messageHead(opcode, body.length, masked, body.length);
  bytes.set(body, start);
  return bytes;
}

/** A few frames as a client or an agent sends them. */
function websocket(random: Random, masked: boolean): Buffer {
  const size = [0, 3, 130, 70_000][random(4)] ?? 0;
  const packet = Buffer.concat([Buffer.of(1 + random(LAST_KIND)), Buffer.alloc(size, 7)]);
  const scrambled = message(Opcode.BINARY, Buffer.of(Kind.RPC, 1), true);
  scrambled[3] = 9;
  const frames = [
    message(Opcode.BINARY, packet, masked),
    message(Opcode.PING, Buffer.from('x'), masked),
    message(Opcode.TEXT, Buffer.from('x'), masked),
    message(Opcode.CLOSE, Buffer.of(3, 232), masked),
    Buffer.concat([Buffer.of(Opcode.BINARY), message(0, packet, masked).subarray(1)]),
    Buffer.concat([Buffer.of(FIN | 0x40 | Opcode.BINARY), message(0, packet, masked).subarray(1)]),
    messageHead(Opcode.BINARY, LIMIT + random(3), masked, 0)[0],
    scrambled,
  ];
  const chosen = Array.from({ length: 1 + random(4) }, () =>
    random(2) === 0 ? frames[0] : frames[random(frames.length)],
  );
  return Buffer.concat(chosen as Buffer[]);
}

function packets(random: Random): Buffer {
  const sizes = [0, 3, 130, 70_000];
  return Buffer.concat(
    Array.from({ length: 1 + random(4) }, () => {
      const size = sizes[random(sizes.length)] ?? 0;
      return Buffer.concat([packetHeader(1 + random(LAST_KIND), size), Buffer.alloc(size, 7)]);
    }),
  );
}

interface Outcome {
  packets: number;
  packetBytes: number;
  passed: number;
  refused: number;
}

/** Reads `bytes` in pieces of random sizes, in memory that changes afterwards, partly into the reader's own. */
function read(bytes: Buffer, way: number, seed: number): Outcome {
  const random = randomNumbers(seed);
  const outcome: Outcome = { packets: 0, packetBytes: 0, passed: 0, refused: 0 };
  const sink = (kind: number, body: Uint8Array): void => {
    assert.ok(kind >= 1 && kind <= LAST_KIND && body.length <= LIMIT, `${kind} ${body.length}`);
    outcome.packets++;
    outcome.packetBytes += body.length;
  };
  const reader =
    way === 2
      ? new StreamPacketReader(sink)
      : new MessageReader(way === 1, sink, (other) => (outcome.passed += other.length));
  reader.limit = LIMIT;
  // Small pieces of the first bytes, where heads are; then few of the rest.
  const most = [3, 40, 5000, 200_000][random(4)] ?? 3;
  const sizeAt = (at: number): number => 1 + random(at < 600 ? most : Math.max(most, 9000));
  try {
    for (let at = 0; at < bytes.length; ) {
      const room = reader.room;
      const size = Math.min(sizeAt(at), bytes.length - at, room?.length ?? bytes.length);
      const chunk = Buffer.from(bytes.subarray(at, at + size));
      at += size;
      if (room === undefined) reader.push(chunk);
      else {
        room.set(chunk);
        reader.filled(size);
      }
      chunk.fill(0xff);
    }
  } catch (error) {
    assert.equal((error as { code?: string }).code, 'ERR_ELSEWHERE_PROTOCOL', String(error));
    outcome.refused = 1;
  }
  assert.ok(outcome.packetBytes + outcome.passed <= bytes.length, 'no byte counts twice');
  return outcome;
}

/** Throws where anything but packets, bytes left over and refusals comes of it. */
export async function fuzzLinks(count: number, seed: number): Promise<LinkReport> {
  const random = randomNumbers(seed);
  const total: Outcome = { packets: 0, packetBytes: 0, passed: 0, refused: 0 };
  let slowest = 0;
  for (let i = 0; i < count; i++) {
    const way = random(3);
    const make = (): Buffer => (way === 2 ? packets(random) : websocket(random, way === 1));
    const bytes = random(8) === 0 ? make() : mutated(make(), make(), random);
    const cuts = random(2 ** 31);
    const one = (): number => {
      const start = performance.now();
      const outcome = read(bytes, way, cuts);
      const time = performance.now() - start;
      total.packets += outcome.packets;
      total.passed += outcome.passed;
      total.refused += outcome.refused;
      return time;
    };
    let time = one();
    // Another process may have had the processor meanwhile.
    for (let again = 0; again < 5 && time > SLOW; again++) time = Math.min(time, one());
    slowest = Math.max(slowest, time);
    if (i % 2000 === 1999) await new Promise((resolve) => setImmediate(resolve));
  }
  const { packets: found, passed, refused } = total;
  return { streams: count, packets: found, passed, refused, slowest };
}

/** Bytes that differ a little from good ones, known again by their seed. */

/** Small, fast and the same everywhere: a run is known again by its seed. */
export function randomNumbers(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const TELLING = [
  0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xc0, 0xc1, 0xc7, 0xc9, 0xd4, 0xd9, 0xdc, 0xdd, 0xde,
  0xdf, 0xff,
];

export function mutated(base: Buffer, other: Buffer, random: (below: number) => number): Buffer {
  let bytes = Buffer.from(base);
  for (let left = random(2) === 0 ? 1 : 1 + random(6); left > 0; left--) {
    const at = random(Math.max(1, Math.min(bytes.length, 400)));
    switch (random(9)) {
      case 6:
      case 7:
      case 8:
      case 0:
        bytes[at] = (bytes[at] ?? 0) ^ (1 << random(8));
        break;
      case 1:
        bytes[at] = TELLING[random(TELLING.length)] ?? 0;
        break;
      case 2:
        bytes = Buffer.concat([
          bytes.subarray(0, at),
          Buffer.from([random(256), random(256)]),
          bytes.subarray(at),
        ]);
        break;
      case 3:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random(4))]);
        break;
      case 4: {
        const from = random(other.length);
        bytes = Buffer.concat([
          bytes.subarray(0, at),
          other.subarray(from, from + random(60)),
          bytes.subarray(at),
        ]);
        break;
      }
      default:
        bytes = bytes.subarray(0, at + 1);
    }
  }
  return bytes;
}

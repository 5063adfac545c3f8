/** Stats as they travel: 18 int64 in the order that lib/internal/fs/utils.js getStatsFromBinding reads. */
import type { BigIntStats } from 'node:fs';

const NS = 1_000_000_000n;

export function packStat(stat: BigIntStats): Buffer {
  const { dev, mode, nlink, uid, gid, rdev, blksize, ino, size, blocks } = stat;
  const values = [dev, mode, nlink, uid, gid, rdev, blksize, ino, size, blocks];
  for (const ns of [stat.atimeNs, stat.mtimeNs, stat.ctimeNs, stat.birthtimeNs]) {
    const seconds = ns < 0n ? (ns - (NS - 1n)) / NS : ns / NS;
    values.push(seconds, ns - seconds * NS);
  }
  const fields = BigInt64Array.from(values, (value) => BigInt.asIntN(64, value));
  return Buffer.from(fields.buffer);
}

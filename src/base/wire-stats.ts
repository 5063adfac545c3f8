/** Stats of a file as they travel. */
import type { BigIntStats } from 'node:fs';

const BILLION = 1_000_000_000n;

/**
 * dev mode nlink uid gid rdev blksize ino size blocks, then seconds and nanoseconds of access, modification, change, birth.
 */
export function wireStats(stats: BigIntStats): BigInt64Array {
  const { dev, mode, nlink, uid, gid, rdev, blksize, ino, size, blocks } = stats;
  const times = [stats.atimeNs, stats.mtimeNs, stats.ctimeNs, stats.birthtimeNs];
  const values = [dev, mode, nlink, uid, gid, rdev, blksize, ino, size, blocks];
  for (const time of times) {
    // Nanoseconds are never negative, also before 1970.
    const nanoseconds = ((time % BILLION) + BILLION) % BILLION;
    values.push((time - nanoseconds) / BILLION, nanoseconds);
  }
  return BigInt64Array.from(values);
}

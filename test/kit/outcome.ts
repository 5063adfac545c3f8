/** What a call did, as plain data that says all that a program could tell. Also loaded by agents, so it needs only Node. */
import { createHash } from 'node:crypto';
import fs from 'node:fs';

/** What a function returned, or the error that it threw, as a value. */
export async function outcome(body: () => unknown): Promise<unknown> {
  try {
    return await body();
  } catch (error) {
    return error;
  }
}

/** The same for a function that blocks. */
export function outcomeSync(body: () => unknown): unknown {
  try {
    return body();
  } catch (error) {
    return error;
  }
}

/** Plain data that says all that a program could tell about a value, but for times and numbers of files. */
export function describe(value: unknown, root: string): unknown {
  if (typeof value === 'string') return value.replaceAll(root, '<root>');
  if (typeof value !== 'object' || value === null)
    return typeof value === 'function' ? 'function' : value;
  if (value instanceof Error) return describeError(value, root);
  if (ArrayBuffer.isView(value)) return describeBytes(value, root);
  if (value instanceof fs.Stats || isBigIntStats(value)) return describeStats(value);
  if (value instanceof Map) return value;
  if (Array.isArray(value)) return value.map((item) => describe(item, root));
  return [
    value.constructor?.name ?? 'null',
    // Node's class itself, not one that is called the same.
    value instanceof fs.Dirent,
    Object.entries(value).map(([key, item]) => [key, describe(item, root)]),
  ];
}

function describeError(error: Error, root: string): unknown {
  const keys = Reflect.ownKeys(error).filter((key) => key !== 'stack');
  return {
    class: error.constructor.name,
    name: error.name,
    own: keys.map((key) => [String(key), describe(Reflect.get(error, key), root)]),
  };
}

/** Short bytes as they are, long ones by their hash. */
function describeBytes(view: ArrayBufferView, root: string): unknown {
  const bytes = Buffer.from(view.buffer, view.byteOffset, view.byteLength);
  const shown =
    bytes.length > 256
      ? `${bytes.length}: ${createHash('sha1').update(bytes).digest('hex')}`
      : Buffer.from(bytes.toString('latin1').replaceAll(root, '<root>'), 'latin1').toString('hex');
  return [view.constructor.name, shown];
}

const VOLATILE = /^(?:ino|dev|[amc]time|birthtime|blocks)/;

function isBigIntStats(value: object): value is fs.BigIntStats {
  return value.constructor?.name === 'BigIntStats';
}

function describeStats(stats: fs.Stats | fs.BigIntStats): unknown {
  const kept = Object.entries(stats).filter(([key]) => !VOLATILE.test(key));
  return {
    class: stats.constructor.name,
    keys: Object.keys(stats),
    types: Object.values(stats).map((item) => typeof item),
    values: kept,
    dates: [stats.mtime instanceof Date, stats.birthtime instanceof Date],
    is: [stats.isFile(), stats.isDirectory(), stats.isSymbolicLink(), stats.isFIFO()],
  };
}

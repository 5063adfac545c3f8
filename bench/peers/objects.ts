/** The service of the objects benchmark, over tcp and ws. Tells the URLs. */
import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { Service, serve } from 'elsewhere';

export interface Record {
  readonly id: number;
  readonly name: string;
}

const file = process.argv[2] ?? '';

export class Bench extends Service {
  static override exposed = ['add', 'callback', 'items', 'records', 'open', 'tree'] as const;
  tree = { branch: { leaf: { size: (x: number): number => x + 1 } } };

  add(a: number, b: number): number {
    return a + b;
  }
  async callback(call: (x: number) => Promise<number>, x: number): Promise<number> {
    return call(x);
  }
  *items(n: number): Generator<number> {
    for (let i = 0; i < n; i++) yield i;
  }
  records(n: number): Record[] {
    return Array.from({ length: n }, (_, id) => ({ id, name: 'item' }));
  }
  open(bytes: number): Readable {
    return createReadStream(file, { end: bytes - 1, highWaterMark: 262_144 });
  }
}

const servers = await Promise.all(
  ['tcp', 'ws'].map((scheme) =>
    serve({ listen: `${scheme}://127.0.0.1:0`, service: Bench, classic: false }),
  ),
);
process.once('disconnect', () => process.exit());
process.send?.(servers.map(({ url }) => url));

/** Every kind of link on which a blocking call can wait, for tests that run over each. */
import { networkInterfaces } from 'node:os';
import type { ConnectOptions } from '../../src/index.ts';

export interface LinkKind {
  readonly name: string;
  readonly listen: string;
  readonly args?: readonly string[];
  readonly options?: ConnectOptions;
  /** Rewrites the URL that the agent printed. */
  readonly dial?: (url: string) => string;
}

const KINDS: readonly LinkKind[] = [
  { name: 'ws', listen: 'ws://127.0.0.1:0' },
  {
    name: 'ws by name',
    listen: 'ws://127.0.0.1:0',
    dial: (url) => url.replace('127.0.0.1', 'localhost'),
  },
  { name: 'tcp', listen: 'tcp://127.0.0.1:0' },
  { name: 'unix', listen: `unix:/tmp/elsewhere-sync-${process.pid}.sock` },
  { name: 'worker', listen: 'ws://127.0.0.1:0', options: { sync: 'worker' } },
];

// Beyond loopback WebSocket frames are masked; this machine's own address will do, where it has one.
const address = Object.values(networkInterfaces())
  .flatMap((list) => list ?? [])
  .find(({ internal, family }) => !internal && family === 'IPv4')?.address;
export const LINK_KINDS: readonly LinkKind[] =
  address === undefined
    ? KINDS
    : [
        ...KINDS,
        { name: 'masked ws', listen: `ws://${address}:0`, args: ['--insecure', '--classic'] },
      ];

/** A blocking call on the sync lane, beside the awaited one and the local one. */
import fs from 'node:fs';
import { type Connection, withRemote } from 'elsewhere';
import type { Benchmark } from './benchmark.ts';
import type { Contestant } from './rounds.ts';

const PATH = '/';

export const sync: Benchmark = {
  name: 'sync',
  title: 'a blocking statSync in a scope beside the awaited stat, over each kind of link',
  async run({ stage, scaled, compete }) {
    const ops = scaled(2000);
    for (const scheme of ['unix', 'tcp', 'ws'] as const) {
      const agent = await stage.agent(scheme);
      const { connection, pids } = await stage.connect(agent);
      const slow = await stage.connect(agent, { sync: 'worker' });
      const contestants: Contestant[] = [
        { name: 'awaited stat', ops, pids, run: () => awaited(connection, ops) },
        { name: 'statSync', ops, pids, run: () => blocking(connection, ops) },
        { name: 'statSync, worker lane', ops, pids, run: () => blocking(slow.connection, ops) },
        { name: 'local statSync', ops: ops * 10, run: () => local(ops * 10) },
        { name: 'local awaited stat', ops, run: () => localAwaited(ops) },
      ];
      await compete({ name: `stat over ${scheme}`, unit: 'us', contestants });
    }
  },
};

export function awaited(connection: Connection, ops: number): Promise<void> {
  return withRemote(connection, () => localAwaited(ops));
}

async function localAwaited(ops: number): Promise<void> {
  for (let i = 0; i < ops; i++) await fs.promises.stat(PATH);
}

export function blocking(connection: Connection, ops: number): void {
  withRemote(connection, () => local(ops));
}

function local(ops: number): void {
  for (let i = 0; i < ops; i++) fs.statSync(PATH);
}

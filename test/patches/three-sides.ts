/** Two far sides in processes of their own, and this one: who makes a connection is asked of the kernel. */
import { bindScope, type Connection, connect, withRemote } from '../../src/index.ts';
import { startAgent, type TestAgent } from '../kit/agent.ts';
import { type Ends, ownerOf } from '../kit/socket-owner.ts';
import type { Suite } from '../kit/suite.ts';

export type Side = 'local' | 'A' | 'B';
export const SIDES: readonly Side[] = ['local', 'A', 'B'];

export interface ThreeSides {
  /** Runs `fn` on that side, always in the same scope of it. */
  on<R>(side: Side, fn: () => R): R;
  /** Whose socket is at the other end of this one. */
  owner(socket: Ends): string;
  readonly connections: Readonly<Record<'A' | 'B', Connection>>;
  readonly agents: Readonly<Record<'A' | 'B', TestAgent>>;
}

/** They are there while the tests of the suite run. */
export function threeSides(test: Suite): ThreeSides {
  const agents: Record<string, TestAgent> = {};
  const connections: Record<string, Connection> = {};
  const enter: Record<string, <R>(fn: () => R) => R> = { local: (fn) => fn() };
  const pids = new Map([['local', process.pid]]);
  test.before(async () => {
    for (const [side, listen] of [
      ['A', 'ws://127.0.0.1:0'],
      ['B', 'tcp://127.0.0.1:0'],
    ] as const) {
      const agent = await startAgent({ listen });
      agents[side] = agent;
      const conn = await connect(agent.url);
      connections[side] = conn;
      enter[side] = withRemote(conn, { except: ['stdio'] }, () =>
        bindScope((fn: () => unknown) => fn()),
      ) as <R>(fn: () => R) => R;
      pids.set(side, agent.process.pid ?? 0);
    }
  });
  test.after(async () => {
    for (const conn of Object.values(connections)) await conn.close();
    for (const agent of Object.values(agents)) await agent.stop();
  });
  return {
    on: (side, fn) => (enter[side] as <R>(fn: () => R) => R)(fn),
    owner: (socket) => ownerOf(socket, pids),
    connections: connections as ThreeSides['connections'],
    agents: agents as ThreeSides['agents'],
  };
}

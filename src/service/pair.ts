/** Two ends in one process, for tests: the same sessions over a transport in memory. */
import { memoryBlockingLink } from '../connection/memory-link.ts';
import { DEFAULT_GRACE } from '../connection/redial.ts';
import type { AnyPatch } from '../patch.ts';
import { tokenKey } from '../security/auth.ts';
import { ObservedSession } from '../session/observed-session.ts';
import { memoryPair } from '../transport/memory.ts';
import { type ConnectOptions, connectionOf } from './connect.ts';
import type { Connection } from './connection.ts';
import { newAgent, type ServeOptions, Server } from './serve.ts';

export interface ConnectionPair<S = unknown> {
  readonly near: Connection<S>;
  readonly far: Server;
}

/** `near` uses what `far` serves; both are this process, so blocking calls work for what can be answered at once. */
export async function connectPairWith<S = unknown>(
  patches: readonly AnyPatch[],
  options: ServeOptions = {},
  near: Pick<ConnectOptions, 'service'> = {},
): Promise<ConnectionPair<S>> {
  const { agent, services } = await newAgent(patches, { heartbeat: 0, ...options });
  const session = new ObservedSession({
    key: tokenKey(agent.token),
    timeout: 10_000,
    heartbeat: 0,
    grace: options.grace ?? DEFAULT_GRACE,
    dial: async () => {
      const [near, far] = memoryPair();
      agent.accept(far, 'memory');
      return near;
    },
    dialBlocking: () => memoryBlockingLink((transport) => agent.accept(transport, 'memory')),
  });
  const connection = connectionOf<S>(session, 'memory', near);
  await session.connect();
  return { near: connection.ref(), far: new Server(agent, services) };
}

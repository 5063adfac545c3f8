/** Agents on machines (or in containers) that have nothing but Node: started for us, gone with us. */
import { ElsewhereError } from '../base/errors.ts';
import { isStarted, parseEndpoint } from '../transport/endpoint.ts';
import { type ConnectOptions, connect } from './connect.ts';
import type { Connection } from './connection.ts';

/** Agents that were started together, in the order of their targets. */
export class Deployment<S = unknown> {
  readonly connections: readonly Connection<S>[];

  constructor(connections: readonly Connection<S>[]) {
    this.connections = connections;
  }

  /** The first, for who has one. */
  get connection(): Connection<S> {
    return this.connections[0] as Connection<S>;
  }

  /** Ends the agents; nothing of them stays over there. */
  async close(): Promise<void> {
    await Promise.all(this.connections.map((conn) => conn.close()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/**
 * Starts an agent on each target, all at once: ssh://user@host/directory sends it along, exec:COMMAND is for containers
 * (exec:docker exec -i NAME elsewhere serve --stdio). If one cannot be had the others are ended, and it rejects with that
 * error, or an AggregateError of them. ERR_ELSEWHERE_ARGUMENT for URLs of agents that run already.
 */
export async function deploy<S = unknown>(
  targets: string | readonly string[],
  options: ConnectOptions = {},
): Promise<Deployment<S>> {
  const urls = typeof targets === 'string' ? [targets] : targets;
  for (const url of urls) refuseRunning(url);
  const begun = await Promise.allSettled(
    urls.map((url) => connect<S>(url, optionsFor(url, options))),
  );
  const connections = begun.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const failures = begun.flatMap((one) => (one.status === 'rejected' ? [one.reason as Error] : []));
  if (failures.length === 0 && connections.length > 0) return new Deployment(connections);
  await Promise.all(connections.map((conn) => conn.close()));
  if (failures.length === 1) throw failures[0];
  throw failures.length === 0
    ? new ElsewhereError('ERR_ELSEWHERE_ARGUMENT', 'deploy needs at least one target')
    : new AggregateError(
        failures,
        `${failures.length} of ${urls.length} agents could not be started`,
      );
}

function refuseRunning(url: string): void {
  if (isStarted(parseEndpoint(url, 'connect'))) return;
  throw new ElsewhereError(
    'ERR_ELSEWHERE_ARGUMENT',
    `deploy starts agents by ssh: or exec:; to one that runs already, connect(${JSON.stringify(url.replace(/#.*/, ''))})`,
  );
}

function optionsFor(url: string, { ssh, ...options }: ConnectOptions): ConnectOptions {
  return url.startsWith('ssh:') && ssh !== undefined ? { ...options, ssh } : options;
}

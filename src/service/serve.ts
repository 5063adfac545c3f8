/** Serves this machine's resources to who knows the token. */
import type { AnyPatch } from '../patch.ts';
import { Agent, type AgentOptions } from '../session/agent.ts';
import type { FarSession } from '../session/far-session.ts';
import { refuseClassic, serveClassic } from './classic.ts';

export interface ServeOptions extends AgentOptions {
  /** Whether clients may run code here (eval, execute, run). Default true: only this machine can reach the agent yet. */
  readonly classic?: boolean;
}

/** A client of an agent. */
export interface ServerConnection {
  readonly id: string;
  readonly peer: FarSession['peer'];
}

export interface ServerEvents {
  connection: [connection: ServerConnection];
  disconnect: [connection: ServerConnection];
  /** A peer that was not let in: where it came from, and why. */
  refused: [remote: string, error: Error];
}

export class Server {
  readonly #agent: Agent;

  constructor(agent: Agent) {
    this.#agent = agent;
  }

  /** Paste it into `connect`: it carries the token in its fragment, which never travels. */
  get url(): string {
    return this.#agent.url;
  }

  get token(): string {
    return this.#agent.token;
  }

  get connections(): readonly ServerConnection[] {
    return this.#agent.sessions.map(({ id, peer }) => ({ id, peer }));
  }

  on<K extends keyof ServerEvents>(event: K, listener: (...args: ServerEvents[K]) => void): this {
    this.#agent.events.on(event, listener as (...args: unknown[]) => void);
    return this;
  }

  /** Lets the process end although the agent listens. */
  unref(): this {
    this.#agent.listener?.unref();
    return this;
  }

  ref(): this {
    this.#agent.listener?.ref();
    return this;
  }

  /**
   * Stops listening, ends all connections after what was sent, and closes what they held. For `drain` milliseconds
   * (default 0) calls under way are still carried out and answered; what comes meanwhile is refused as not carried out
   * (ERR_ELSEWHERE_CLOSED, `maybeExecuted` false).
   */
  async close({ drain = 0 }: { readonly drain?: number } = {}): Promise<void> {
    await this.#agent.close(drain);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** Made by a composition root, which knows the patches. */
export async function serveWith(
  patches: readonly AnyPatch[],
  options: ServeOptions = {},
): Promise<Server> {
  const agent = newAgent(patches, options);
  await agent.listen(options);
  return new Server(agent);
}

export function newAgent(patches: readonly AnyPatch[], options: ServeOptions): Agent {
  return new Agent(options, patches, options.classic === false ? refuseClassic : serveClassic);
}

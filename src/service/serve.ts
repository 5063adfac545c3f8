/** Serves this machine's resources to who knows the token. */

import { ElsewhereError } from '../base/errors.ts';
import type { AnyPatch } from '../patch.ts';
import { Agent, type AgentOptions } from '../session/agent.ts';
import type { FarSession } from '../session/far-session.ts';
import { sessionsApart } from '../session/isolation.ts';
import type { Login } from '../session/keyring.ts';
import { isLoopback, parseEndpoint } from '../transport/endpoint.ts';
import { settingsApart } from './apart.ts';
import { sessionsHere } from './far-end.ts';
import { answerJsonRpc } from './json-rpc.ts';
import { type RecordOptions, recorder } from './records.ts';
import {
  checkConcurrency,
  namesOf,
  type ServiceFailure,
  type ServiceSource,
  type ServingOptions,
} from './service.ts';
import { loadService } from './service-file.ts';

export interface ServeOptions extends Omit<AgentOptions, 'post'>, ServingOptions, RecordOptions {
  /**
   * Whether clients may run code here (modules, eval, execute, teleport, run). Default: true where only this machine
   * reaches the agent (loopback, unix socket), false elsewhere, where it must be asked for. With a policy only what
   * that says, false by default.
   */
  readonly classic?: boolean;
  /**
   * What `conn.root` is for clients. An instance is shared by all of them; of a class or a function each gets its own.
   * The URL of a module stands for what it exports as `service` (and `intercept`, if it does).
   */
  readonly service?: ServiceSource | URL;
  /**
   * 'process': each client has a process of its own, with its own memory, folder and environment; one that breaks down
   * or blocks harms nobody else. The service must be the URL of a module then. Default: all share this process.
   */
  readonly isolate?: 'process';
  /**
   * Whether the service also answers JSON-RPC 2.0, as HTTP POST on the same port of a ws: or wss: listener, with the header
   * `Authorization: Bearer TOKEN` (or Basic for users). Default false.
   */
  readonly jsonRpc?: boolean;
}

/** A client of an agent. */
export interface ServerConnection {
  readonly id: string;
  readonly peer: FarSession['peer'];
  readonly login: Login;
}

export interface ServerEvents {
  connection: [connection: ServerConnection];
  disconnect: [connection: ServerConnection];
  /** A peer that was not let in: where it came from, and why. */
  refused: [remote: string, error: Error];
  /**
   * A request of a client to the service failed, or a hook of the service did: for logs. The client is told as ever. Not of
   * clients that have a process of their own.
   */
  failure: [failure: ServiceFailure, connection: ServerConnection];
}

export class Server {
  /** Names of the service: its class's `serviceName` (or own name) and `aliases`; none for other objects. */
  readonly services: readonly string[];
  readonly #agent: Agent;
  readonly #before: (() => Promise<void>)[] = [];
  /** Settles when the server has closed; never rejects. */
  readonly closed: Promise<void>;
  #settle: () => void = () => undefined;

  constructor(agent: Agent, services: readonly string[]) {
    this.#agent = agent;
    this.services = services;
    this.closed = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  /** Paste it into `connect`: it carries the token in its fragment, which never travels. */
  get url(): string {
    return this.#agent.url;
  }

  get token(): string {
    return this.#agent.token;
  }

  get connections(): readonly ServerConnection[] {
    return this.#agent.sessions.map(({ id, peer, login }) => ({ id, peer, login }));
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

  /** Runs before the server closes. */
  beforeClose(work: () => Promise<void>): void {
    this.#before.push(work);
  }

  /**
   * Stops listening, ends all connections after what was sent, and closes what they held. For `drain` milliseconds
   * (default 0) calls under way are still carried out and answered; what comes meanwhile is refused as not carried out
   * (ERR_ELSEWHERE_CLOSED, `maybeExecuted` false).
   */
  async close({ drain = 0 }: { readonly drain?: number } = {}): Promise<void> {
    for (const work of this.#before.splice(0)) await work();
    await this.#agent.close(drain);
    this.#settle();
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
  const { agent, services } = await newAgent(patches, options);
  await agent.listen({ ...options, ...(await jsonRpcOf(options)) });
  const server = new Server(agent, services);
  if (options.once === true) server.on('disconnect', () => void server.close());
  return server;
}

async function jsonRpcOf(options: ServeOptions): Promise<Pick<AgentOptions, 'post'>> {
  if (options.jsonRpc !== true) return {};
  const { listen } = options;
  const loaded = await loadService(options);
  const { service: source } = loaded;
  if (source === undefined || !/^wss?:/.test(String(listen ?? 'ws:')))
    throw new ElsewhereError(
      'ERR_ELSEWHERE_ARGUMENT',
      'jsonRpc needs a service, and a ws: or wss: listener to answer at',
    );
  const how = { source, serving: { ...options, ...loaded }, recorder: recorder(options) };
  return { post: (body, login) => answerJsonRpc(body, login, how) };
}

export async function newAgent(
  patches: readonly AnyPatch[],
  options: ServeOptions,
): Promise<{ readonly agent: Agent; readonly services: readonly string[] }> {
  checkConcurrency(options.concurrency);
  const settings = { ...options, classic: mayRunCode(options) };
  if (options.isolate === 'process')
    // What the module exports is known in the processes of its clients.
    return { agent: new Agent(options, sessionsApart(settingsApart(settings))), services: [] };
  const failed = (failure: ServiceFailure, { id, peer, login }: FarSession): void =>
    void agent.events.emit('failure', failure, { id, peer, login });
  const loaded = await loadService(settings);
  const agent = new Agent(options, sessionsHere(patches, { ...settings, ...loaded, failed }));
  return { agent, services: namesOf(loaded.service) };
}

function mayRunCode({ policy, classic, listen, relay }: ServeOptions): boolean {
  if (classic !== undefined) return classic;
  return policy === undefined ? relay === undefined && isPrivate(listen) : policy.classic === true;
}

/** Whether only programs of this machine can reach it: a port or pipes belong to who started the agent. */
function isPrivate(listen: ServeOptions['listen'] = 'ws://127.0.0.1:0'): boolean {
  if (typeof listen !== 'string') return true;
  const endpoint = parseEndpoint(listen, 'listen');
  return !('host' in endpoint) || isLoopback(endpoint.host);
}

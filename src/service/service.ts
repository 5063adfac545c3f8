/** What `conn.root` is for the other side. */
import { ElsewhereError } from '../base/errors.ts';
import type { Failure, Interceptor, Request } from '../objects/keeper.ts';
import type { ObjectSession } from '../objects/session.ts';
import type { Reference } from '../objects/types.ts';
import type { Login } from '../session/keyring.ts';
import { inTurns } from './turns.ts';

/** A peer, as a service sees it. */
export interface ServicePeer<R = unknown> {
  /** The session's id. */
  readonly id: string;
  /** Who a client has proven to be, and where it comes from; undefined for the agent of a client's service. */
  readonly login?: Login | undefined;
  /** What the peer serves itself; calls fail with ERR_ELSEWHERE_NO_METHOD if that is nothing. */
  readonly root: Reference<R>;
}

/**
 * Base class of services. Only names in `static exposed` (of the class and of those it extends) exist for the other side:
 * methods, properties, getters, and classes that have such a list themselves.
 */
export class Service {
  static readonly exposed: readonly (string | symbol)[] = [];
  /** Its name, for clients (`conn.peer.services`) and for registries. Default: the class's, without "Service" at its end. */
  static readonly serviceName: string | undefined = undefined;
  /** More names. */
  static readonly aliases: readonly string[] = [];

  /** A peer has come. Its calls wait for a promise that is returned here; if it rejects, they all fail with its reason. */
  onConnect(_peer: ServicePeer): void | Promise<void> {
    // For subclasses.
  }

  /** A peer has gone, and why. */
  onDisconnect(_peer: ServicePeer, _reason: Error): void | Promise<void> {
    // For subclasses.
  }
}

/** What a client asks of a service, or of something that the service handed to it. */
export interface ServiceCall extends Request {
  readonly peer: ServicePeer;
}

/**
 * Sees each request before it is carried out: `next()` carries it out, `next(args)` with other arguments; what is
 * returned (or thrown) is the client's answer. For logs, audits, permissions, limits.
 */
export type Intercept = (
  call: ServiceCall,
  next: (args?: readonly unknown[]) => unknown,
) => unknown;

/** An instance is shared by all peers; of a class or a function each peer gets a service of its own. */
export type ServiceSource = object | (new () => Service) | (() => object);

/**
 * What of a service its clients see: of a class that lists names `as const` those (`connect<typeof Calc>(url)`), else all
 * but the hooks (`connect<Calc>(url)`).
 */
export type Exposed<S> = S extends abstract new (
  ...args: never[]
) => infer I
  ? Listed<I, S extends { readonly exposed: readonly (infer K)[] } ? K : string>
  : Omit<S, keyof Service>;
type Listed<I, K> = string extends K ? Omit<I, keyof Service> : Pick<I, Extract<K, keyof I>>;

/** How a service deals with what is asked of it. */
export interface ServingOptions {
  /** Sees each request of clients to the service before it is carried out. */
  readonly intercept?: Intercept;
  /**
   * So many calls of one client run at once; more of them wait their turn. A call that is made from within one, by way of
   * a callback, needs a turn too: with 1 it would wait for ever. Default: no limit below that of all calls (4,096).
   */
  readonly concurrency?: number;
  /** Whether errors show clients where in the service they were thrown. Default false. */
  readonly stacks?: boolean;
}

/** What failed at a service: a request of a client, or one of the service's own hooks. */
export interface ServiceFailure {
  readonly operation: Failure['operation'] | 'connect' | 'disconnect';
  /** Names from what it was asked of: ['add'] for `conn.root.add(…)`. */
  readonly path: readonly string[];
  readonly error: unknown;
}

export interface ServedService {
  readonly source: ServiceSource;
  readonly options?: ServingOptions;
  /** What is known of the peer. */
  readonly peer: Omit<ServicePeer, 'root'>;
  ended(cleanup: (reason: Error) => void): void;
  failed?(failure: ServiceFailure): void;
}

/** Serves to one peer. Returns the service's names. */
export function serveService(objects: ObjectSession, served: ServedService): readonly string[] {
  const { ended, options = {}, failed = () => undefined } = served;
  const service = newService(served.source);
  const peer: ServicePeer = { ...served.peer, root: objects.root('root') as Reference };
  const interceptor = interceptorOf(options, peer);
  if (interceptor !== undefined) objects.intercept(interceptor);
  if (served.failed !== undefined) objects.onFailure(failed);
  objects.showStacks = options.stacks === true;
  let ready: Promise<unknown> | undefined;
  if (service instanceof Service) {
    ready = begin(service, peer);
    ready?.catch((error: unknown) => failed({ operation: 'connect', path: [], error }));
    ended((reason) => end(service, peer, reason, failed));
  }
  objects.addRoot('root', {
    access: 'listed',
    start: () =>
      ready === undefined
        ? { value: service, used: 0 }
        : ready.then(() => ({ value: service, used: 0 })),
  });
  ready?.then(
    () => (ready = undefined),
    () => undefined,
  );
  return namesOf(service);
}

/** What sees requests before they are carried out. */
export function interceptorOf(
  { intercept, concurrency }: ServingOptions,
  peer: ServicePeer,
): Interceptor | undefined {
  const turns = concurrency === undefined ? undefined : inTurns(concurrency);
  if (intercept === undefined) return turns;
  const seen: Interceptor = (request, next) => intercept({ ...request, peer }, next);
  if (turns === undefined) return seen;
  return (request, next) => turns(request, () => seen(request, next));
}

/** Throws ERR_ELSEWHERE_ARGUMENT for what is no number of calls. */
export function checkConcurrency(concurrency: number | undefined): void {
  if (concurrency === undefined || (Number.isInteger(concurrency) && concurrency > 0)) return;
  throw new ElsewhereError(
    'ERR_ELSEWHERE_ARGUMENT',
    `concurrency needs a whole number from 1, not ${concurrency}`,
  );
}

/** Of a service, or of the class of one: none for plain objects. */
export function namesOf(service: unknown): readonly string[] {
  const Class = typeof service === 'function' ? service : service?.constructor;
  if (!(Class?.prototype instanceof Service)) return [];
  const { serviceName, aliases, name } = Class as typeof Service;
  const first = serviceName ?? name.replace(/(?<=.)Service$/, '');
  return [first, ...aliases].filter((text) => typeof text === 'string' && text !== '');
}

export function newService(source: ServiceSource): object {
  if (typeof source !== 'function') return source;
  if (source.prototype instanceof Service) return new (source as new () => Service)();
  return (source as () => object)();
}

function begin(service: Service, peer: ServicePeer): Promise<unknown> | undefined {
  try {
    const begun = service.onConnect(peer);
    return begun instanceof Promise ? begun : undefined;
  } catch (error) {
    return Promise.reject(error);
  }
}

function end(
  service: Service,
  peer: ServicePeer,
  reason: Error,
  failed: NonNullable<ServedService['failed']>,
): void {
  // Nobody is left to be told; a service that fails at its end must not take the agent with it.
  void (async () => service.onDisconnect(peer, reason))().catch((error: unknown) =>
    failed({ operation: 'disconnect', path: [], error }),
  );
}

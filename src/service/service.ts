/** What `conn.root` is for the other side. */
import type { Request } from '../objects/keeper.ts';
import type { ObjectSession } from '../objects/session.ts';
import type { Reference } from '../objects/types.ts';
import type { Login } from '../session/keyring.ts';

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

/** What of a service its clients see. */
export type Exposed<S> = Omit<S, keyof Service>;

export interface ServedService {
  readonly source: ServiceSource;
  readonly intercept?: Intercept | undefined;
  /** What is known of the peer. */
  readonly peer: Omit<ServicePeer, 'root'>;
  ended(cleanup: (reason: Error) => void): void;
}

/** Serves to one peer. */
export function serveService(objects: ObjectSession, served: ServedService): void {
  const { intercept, ended } = served;
  const service = newService(served.source);
  const peer: ServicePeer = { ...served.peer, root: objects.root('root') as Reference };
  if (intercept !== undefined)
    objects.intercept((request, next) => intercept({ ...request, peer }, next));
  let ready: Promise<unknown> | undefined;
  if (service instanceof Service) {
    ready = begin(service, peer);
    ended((reason) => end(service, peer, reason));
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

function end(service: Service, peer: ServicePeer, reason: Error): void {
  // Nobody is left to be told; a service that fails at its end must not take the agent with it.
  void (async () => service.onDisconnect(peer, reason))().catch(() => undefined);
}

/**
 * The dns patch: in a scope names are resolved on the far side, by its hosts file and its name servers. It works below
 * Node's own dns module, on the binding's functions, so that `net`, captured functions and Resolver objects come through
 * it and the errors are Node's. Local: `getServers()`, which tells the servers of this machine until others are set.
 */
import { AsyncResource } from 'node:async_hooks';
import dns from 'node:dns';
import { getSystemErrorMap } from 'node:util';
import { ElsewhereError } from '../src/base/errors.ts';
import { nodeBinding } from '../src/base/node-binding.ts';
import {
  type AnyPatch,
  definePatch,
  type LocalContext,
  type RemoteHalf,
  type Target,
} from '../src/patch.ts';

/** A failure as getaddrinfo reports it: numbers from -3000 down are libuv's own and equal everywhere, others differ. */
interface LookupFailure {
  readonly code: string;
  readonly errno: number;
}

interface LookupOptions {
  readonly family: number;
  readonly hints: readonly Hint[];
  readonly order: Order;
}

type Hint = 'ADDRCONFIG' | 'V4MAPPED' | 'ALL';
type Order = 'verbatim' | 'ipv4first' | 'ipv6first';

/** How a Resolver was set up; what is absent is the far side's own. */
export interface ResolverSetup {
  readonly timeout?: readonly number[];
  readonly servers?: readonly unknown[];
  readonly localAddress?: readonly unknown[];
}

/** The far side's answer in the form in which the binding gives it to Node's JavaScript: an error code, or raw results. */
export type QueryAnswer = { readonly code: string } | { readonly results: readonly unknown[] };

export interface DnsCalls {
  lookup(hostname: string, options: LookupOptions): Promise<readonly string[] | LookupFailure>;
  lookupService(address: string, port: number): Promise<readonly [string, string] | LookupFailure>;
  query(method: string, name: string, setup: ResolverSetup): Promise<QueryAnswer>;
}

// The binding, as far as it is used here.

interface Request {
  oncomplete(error: number | string | null, ...results: unknown[]): void;
  callback?(error: Error): void;
  reject?(error: Error): void;
}

interface Channel {
  getServers(): unknown[];
  setServers(servers: unknown[]): number;
  setLocalAddress(...addresses: unknown[]): void;
  cancel(): void;
}

type Query = (this: Channel, request: Request, name: string) => number;

interface Cares {
  getaddrinfo(
    request: Request,
    hostname: string,
    family: number,
    hints: number,
    order: number,
  ): number;
  getnameinfo(request: Request, address: string, port: number): number;
  readonly QueryReqWrap: new () => Request;
  readonly ChannelWrap: { readonly prototype: Channel & Record<string, Query> };
  readonly DNS_ORDER_IPV4_FIRST: number;
  readonly DNS_ORDER_IPV6_FIRST: number;
}

function cares(): Cares {
  const found = nodeBinding<Cares>('cares_wrap');
  if (found !== undefined) return found;
  throw new ElsewhereError(
    'ERR_ELSEWHERE_UNSUPPORTED',
    'names cannot be resolved on the far side under --permission: this Node hides what is needed',
  );
}

// The far half.

const HINTS: readonly Hint[] = ['ADDRCONFIG', 'V4MAPPED', 'ALL'];

function dnsRemote(): RemoteHalf<DnsCalls> {
  return { calls: { lookup, lookupService, query } };
}

function lookup(
  hostname: string,
  { family, hints, order }: LookupOptions,
): Promise<readonly string[] | LookupFailure> {
  const bits = hints.reduce((sum, hint) => sum | dns[hint], 0);
  const options = {
    all: true,
    family,
    hints: bits,
    order,
    verbatim: order === 'verbatim',
  } as const;
  return new Promise((resolve) => {
    dns.lookup(hostname, options, (error, found) =>
      resolve(error === null ? found.map(({ address }) => address) : failure(error)),
    );
  });
}

function lookupService(
  address: string,
  port: number,
): Promise<readonly [string, string] | LookupFailure> {
  return new Promise((resolve) => {
    dns.lookupService(address, port, (error, hostname, service) =>
      resolve(error === null ? [hostname, service] : failure(error)),
    );
  });
}

function failure({ code = 'UNKNOWN', errno = 0 }: NodeJS.ErrnoException): LookupFailure {
  return { code, errno };
}

const busy = new Set<Channel>();

function query(method: string, name: string, setup: ResolverSetup): Promise<QueryAnswer> {
  const { QueryReqWrap } = cares();
  const [timeout = -1, tries = 4, maxTimeout = 0] = setup.timeout ?? [];
  const resolver = new dns.Resolver({ timeout, tries, maxTimeout } as dns.ResolverOptions);
  const channel = (resolver as unknown as { _handle: Channel & Record<string, Query> })._handle;
  if (setup.servers !== undefined) channel.setServers([...setup.servers]);
  if (setup.localAddress !== undefined) channel.setLocalAddress(...setup.localAddress);
  const run = isQuery(method) ? channel[method] : undefined;
  if (run === undefined) return Promise.resolve({ code: 'ENOTIMP' });
  return new Promise((resolve) => {
    const request = new QueryReqWrap();
    request.oncomplete = (error, ...results) => {
      // Also keeps the channel alive until its query is answered.
      busy.delete(channel);
      resolve(error ? { code: String(error) } : { results });
    };
    busy.add(channel);
    if (run.call(channel, request, name) !== 0) request.oncomplete('EBADNAME');
  });
}

function isQuery(method: string): boolean {
  return /^(query[A-Z]\w*|getHostByAddr)$/.test(method);
}

// The near half.

type DnsTarget = Target<DnsCalls>;

const errnoByName: Map<string, number> = new Map(
  [...getSystemErrorMap()].map(([errno, [name]]) => [name, errno]),
);

function errnoOf({ code, errno }: LookupFailure): number {
  return errno <= -3000 ? errno : (errnoByName.get(code) ?? errno);
}

function dnsLocal(context: LocalContext<DnsCalls>): void {
  const binding = cares();
  installLookup(context, binding);
  installPromises(context);
  installQueries(context, binding.ChannelWrap.prototype);
  rememberSetup(context, binding.ChannelWrap.prototype);
}

/** Runs `ask` with a `done` that completes the request in its own async context and in a tick of its own. */
function pending<T>(
  target: DnsTarget,
  request: Request,
  ask: (done: (error: unknown, value?: T) => void) => void,
  settle: (value: T) => void,
): void {
  const resource = new AsyncResource('ELSEWHEREDNS');
  target.hold();
  ask((error, value) => {
    target.release();
    process.nextTick(() =>
      resource.runInAsyncScope(() => (value === undefined ? fail(request, error) : settle(value))),
    );
  });
}

/** The question did not reach the far side, or it could not answer at all. */
function fail(request: Request, error: unknown): void {
  const { code } = (error ?? {}) as { code?: unknown };
  const lost = code === 'ERR_ELSEWHERE_CONNECTION_LOST' || code === 'ERR_ELSEWHERE_CLOSED';
  const tell = request.callback ?? request.reject;
  if (lost || tell === undefined) request.oncomplete(errnoByName.get('ECONNRESET') ?? -104);
  else tell.call(request, error as Error);
}

function installLookup(context: LocalContext<DnsCalls>, binding: Cares): void {
  const { getaddrinfo, getnameinfo } = binding;
  const orders = new Map<number, Order>([
    [binding.DNS_ORDER_IPV4_FIRST, 'ipv4first'],
    [binding.DNS_ORDER_IPV6_FIRST, 'ipv6first'],
  ]);

  context.replace(binding, 'getaddrinfo', (request, hostname, family, hints, order) => {
    const target = context.target();
    if (target === undefined)
      return getaddrinfo.call(binding, request, hostname, family, hints, order);
    // By name: the bits differ between systems.
    const named = HINTS.filter((hint) => (hints & dns[hint]) !== 0);
    const options = { family, hints: named, order: orders.get(order) ?? 'verbatim' };
    pending<readonly string[] | LookupFailure>(
      target,
      request,
      (done) => target.send('lookup', [hostname, options], done),
      (answer) =>
        'code' in answer ? request.oncomplete(errnoOf(answer)) : request.oncomplete(null, answer),
    );
    return 0;
  });

  context.replace(binding, 'getnameinfo', (request, address, port) => {
    const target = context.target();
    if (target === undefined) return getnameinfo.call(binding, request, address, port);
    pending<readonly [string, string] | LookupFailure>(
      target,
      request,
      (done) => target.send('lookupService', [address, port], done),
      (answer) =>
        'code' in answer
          ? request.oncomplete(errnoOf(answer))
          : request.oncomplete(null, ...answer),
    );
    return 0;
  });
}

/** `dns/promises` keeps the binding's two functions from when it was loaded, perhaps before us; so its exports go through the callback forms. */
function installPromises(context: LocalContext<DnsCalls>): void {
  const { promises } = dns;
  const original = { lookup: promises.lookup as AnyLookup, lookupService: promises.lookupService };

  const lookup: AnyLookup = (...args) => {
    if (context.target() === undefined) return original.lookup(...args);
    const [hostname, options] = args;
    const all =
      typeof options === 'object' &&
      options !== null &&
      (options as { all?: boolean }).all === true;
    return promised((done) => {
      (dns.lookup as AnyCallbackLookup)(hostname, options, (error, address, family) =>
        done(error, all ? address : { address, family }),
      );
    });
  };
  context.replace(promises, 'lookup', lookup as typeof promises.lookup);

  const lookupService: typeof promises.lookupService = (...args) => {
    // Node counts the arguments.
    if (context.target() === undefined || args.length !== 2) return original.lookupService(...args);
    return promised((done) => {
      dns.lookupService(...args, (error, hostname, service) => done(error, { hostname, service }));
    });
  };
  context.replace(promises, 'lookupService', lookupService);
}

type AnyLookup = (...args: [hostname: string, options?: unknown]) => Promise<unknown>;
type AnyCallbackLookup = (
  hostname: string,
  options: unknown,
  done: (error: Error | null, address: unknown, family: number) => void,
) => void;

/** Bad arguments throw at once, as in Node's own. */
function promised<T>(start: (done: (error: Error | null, value: T) => void) => void): Promise<T> {
  let settle: (error: Error | null, value: T) => void = () => undefined;
  const promise = new Promise<T>((resolve, reject) => {
    settle = (error, value) => (error === null ? resolve(value) : reject(error));
  });
  start((error, value) => settle(error, value));
  return promise;
}

/** What this process told a resolver's channel, to be told to the far side with each of its queries. */
const setups = new WeakMap<Channel, ResolverSetup>();
/** The queries of a channel that the far side is at work on. */
const running = new Map<Channel, Set<() => void>>();

function installQueries(
  context: LocalContext<DnsCalls>,
  prototype: Channel & Record<string, Query>,
): void {
  for (const method of Object.getOwnPropertyNames(prototype).filter(isQuery)) {
    const original = prototype[method];
    if (original === undefined) continue;
    context.replace(
      prototype,
      method,
      function query(this: Channel, request: Request, name: string): number {
        const target = context.target();
        if (target === undefined) return original.call(this, request, name);
        ask(target, this, request, method, name);
        return 0;
      },
    );
  }
}

function ask(
  target: DnsTarget,
  channel: Channel,
  request: Request,
  method: string,
  name: string,
): void {
  const queries = running.get(channel) ?? new Set();
  running.set(channel, queries);
  let cancelled = false;
  const cancel = (): void => {
    cancelled = true;
    request.oncomplete('ECANCELLED');
  };
  queries.add(cancel);
  pending<QueryAnswer>(
    target,
    request,
    (done) =>
      target.send('query', [method, name, setups.get(channel) ?? {}], (error, answer) => {
        queries.delete(cancel);
        if (queries.size === 0) running.delete(channel);
        done(error, answer);
      }),
    (answer) => {
      if (cancelled) return;
      if ('code' in answer) request.oncomplete(answer.code);
      else request.oncomplete(null, ...answer.results);
    },
  );
}

/** c-ares' own answer to new servers while queries are under way (DNS_ESETSRVPENDING). */
const QUERIES_PENDING = -1000;

function rememberSetup(
  context: LocalContext<DnsCalls>,
  prototype: Channel & Record<string, Query>,
): void {
  const methods: Channel = prototype;
  const { setServers, setLocalAddress, cancel } = methods;

  context.replace(methods, 'setServers', function (this: Channel, servers: unknown[]): number {
    if (running.has(this)) return QUERIES_PENDING;
    const result = setServers.call(this, servers);
    if (result === 0) setups.set(this, { ...setups.get(this), servers });
    return result;
  });

  context.replace(
    methods,
    'setLocalAddress',
    function (this: Channel, ...localAddress: unknown[]): void {
      setLocalAddress.apply(this, localAddress);
      setups.set(this, { ...setups.get(this), localAddress });
    },
  );

  context.replace(methods, 'cancel', function (this: Channel): void {
    cancel.call(this);
    const queries = [...(running.get(this) ?? [])];
    running.delete(this);
    setImmediate(() => {
      for (const stop of queries) stop();
    });
  });

  rememberTimeouts(context);
}

/** A Resolver's timeout, tries and maxTimeout go into its channel and cannot be read back. */
function rememberTimeouts(context: LocalContext<DnsCalls>): void {
  type Initialize = (this: { _handle: Channel }, ...timeout: number[]) => void;
  const base = Object.getPrototypeOf(dns.Resolver.prototype) as Record<symbol, Initialize>;
  const key = Object.getOwnPropertySymbols(base).find(
    (symbol) => symbol.description === 'dns:resolver:initializeHandle',
  );
  const original = key === undefined ? undefined : base[key];
  if (key === undefined || original === undefined) return;
  context.replace(
    base,
    key,
    function initializeHandle(this: { _handle: Channel }, ...timeout: number[]): void {
      original.apply(this, timeout);
      setups.set(this._handle, { timeout });
    },
  );
}

export const dnsPatch: AnyPatch = definePatch<DnsCalls>({
  name: 'dns',
  follows: 'net',
  local: dnsLocal,
  remote: dnsRemote,
});

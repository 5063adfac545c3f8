/** Resolver objects, the default one included: their questions, and what they were told to ask with. */
import dns from 'node:dns';
import { isLocalhost } from '../../src/base/localhost.ts';
import type { LocalContext } from '../../src/patch.ts';
import type { DnsCalls, QueryAnswer, ResolverSetup } from './api.ts';
import { type Channel, isQuery, type Request, type ResolverChannel } from './binding.ts';
import { type DnsTarget, pending } from './request.ts';

/** What this process told a resolver's channel, to be told to the far side with each of its queries. */
const setups = new WeakMap<Channel, ResolverSetup>();
/** The queries of a channel that the far side is at work on. */
const running = new Map<Channel, Set<() => void>>();

export function installQueries(context: LocalContext<DnsCalls>, prototype: ResolverChannel): void {
  for (const method of Object.getOwnPropertyNames(prototype).filter(isQuery)) {
    const original = prototype[method];
    if (original === undefined) continue;
    context.replace(
      prototype,
      method,
      function query(this: Channel, request: Request, name: string): number {
        const { target, denied } = context.route({ name });
        if (target === undefined || isLocalhost(name)) return original.call(this, request, name);
        if (denied !== undefined) {
          process.nextTick(() => request.oncomplete('EREFUSED'));
          return 0;
        }
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

export function rememberSetup(context: LocalContext<DnsCalls>, prototype: ResolverChannel): void {
  const methods: Channel = prototype;
  const { getServers, setServers, setLocalAddress, cancel } = methods;

  context.replace(methods, 'getServers', function (this: Channel): unknown[] {
    const target = context.target();
    if (target === undefined || setups.get(this)?.servers !== undefined)
      return getServers.call(this);
    return target.callSync('servers');
  });

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

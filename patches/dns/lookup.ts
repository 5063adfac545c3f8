/** `lookup` and `lookupService`, callbacks and promises. */
import dns from 'node:dns';
import { isLocalhost } from '../../src/base/localhost.ts';
import type { LocalContext } from '../../src/patch.ts';
import { type DnsCalls, HINTS, type LookupFailure, type Order } from './api.ts';
import type { Cares } from './binding.ts';
import { errnoOf, pending } from './request.ts';

export function installLookup(context: LocalContext<DnsCalls>, binding: Cares): void {
  const { getaddrinfo, getnameinfo } = binding;
  const orders = new Map<number, Order>([
    [binding.DNS_ORDER_IPV4_FIRST, 'ipv4first'],
    [binding.DNS_ORDER_IPV6_FIRST, 'ipv6first'],
  ]);

  context.replace(binding, 'getaddrinfo', (request, hostname, family, hints, order) => {
    const { target, denied } = context.route({ name: hostname });
    // What localhost is everybody knows; another machine's answer would be no better.
    if (target === undefined || isLocalhost(hostname))
      return getaddrinfo.call(binding, request, hostname, family, hints, order);
    if (denied !== undefined) return errnoOf({ code: 'EACCES', errno: 0 });
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
export function installPromises(context: LocalContext<DnsCalls>): void {
  const { promises } = dns;
  const original = { lookup: promises.lookup as AnyLookup, lookupService: promises.lookupService };

  const lookup: AnyLookup = (...args) => {
    if (context.target() === undefined) return Reflect.apply(original.lookup, promises, args);
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
    if (context.target() === undefined || args.length !== 2)
      return Reflect.apply(original.lookupService, promises, args);
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

/** Node's binding to c-ares and getaddrinfo, as far as this patch uses it. Its functions are called dynamically. */
import { ElsewhereError } from '../../src/base/errors.ts';
import { nodeBinding } from '../../src/base/node-binding.ts';

export interface Request {
  oncomplete(error: number | string | null, ...results: unknown[]): void;
  callback?(error: Error): void;
  reject?(error: Error): void;
}

export interface Channel {
  getServers(): unknown[];
  setServers(servers: unknown[]): number;
  setLocalAddress(...addresses: unknown[]): void;
  cancel(): void;
}

export type ResolverChannel = Channel & Record<string, Query>;

export type Query = (this: Channel, request: Request, name: string) => number;

export interface Cares {
  getaddrinfo(
    request: Request,
    hostname: string,
    family: number,
    hints: number,
    order: number,
  ): number;
  getnameinfo(request: Request, address: string, port: number): number;
  readonly QueryReqWrap: new () => Request;
  readonly ChannelWrap: { readonly prototype: ResolverChannel };
  readonly DNS_ORDER_IPV4_FIRST: number;
  readonly DNS_ORDER_IPV6_FIRST: number;
}

export function cares(): Cares {
  const found = nodeBinding<Cares>('cares_wrap');
  if (found !== undefined) return found;
  throw new ElsewhereError(
    'ERR_ELSEWHERE_UNSUPPORTED',
    'names cannot be resolved on the far side under --permission: this Node hides what is needed',
  );
}

/** The names under which a channel takes questions: `queryMx`, … and `getHostByAddr`. */
export function isQuery(method: string): boolean {
  return /^(query[A-Z]\w*|getHostByAddr)$/.test(method);
}

/** The channel under a Resolver. */
export function channelOf(resolver: object): ResolverChannel {
  return (resolver as { _handle: ResolverChannel })._handle;
}

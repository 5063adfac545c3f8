/** What the two halves of the dns patch say to each other. */

/** A failure as getaddrinfo reports it: numbers from -3000 down are libuv's own and equal everywhere, others differ. */
export interface LookupFailure {
  readonly code: string;
  readonly errno: number;
}

export interface LookupOptions {
  readonly family: number;
  readonly hints: readonly Hint[];
  readonly order: Order;
}

export type Hint = 'ADDRCONFIG' | 'V4MAPPED' | 'ALL';
export type Order = 'verbatim' | 'ipv4first' | 'ipv6first';

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
  /** The name servers of a resolver that was told none, as the binding lists them. */
  servers(): unknown[];
}

/** By name: the bits differ between systems. */
export const HINTS: readonly Hint[] = ['ADDRCONFIG', 'V4MAPPED', 'ALL'];

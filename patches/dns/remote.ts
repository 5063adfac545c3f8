/** The far half of the dns patch: asks this machine's resolver and name servers. */
import dns from 'node:dns';
import type { RemoteContext, RemoteHalf } from '../../src/patch.ts';
import type { DnsCalls, LookupFailure, LookupOptions, QueryAnswer, ResolverSetup } from './api.ts';
import { type Channel, cares, channelOf, isQuery } from './binding.ts';

export function dnsRemote({ policy }: RemoteContext): RemoteHalf<DnsCalls> {
  const remembered: typeof lookup = async (hostname, options) => {
    const answer = await lookup(hostname, options);
    if (!('code' in answer)) policy.resolved(hostname, answer);
    return answer;
  };
  return { calls: { lookup: remembered, lookupService, query, servers } };
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

/** The channels that wait for an answer: an unreachable one would be collected, query and all. */
const busy = new Set<Channel>();

function query(method: string, name: string, setup: ResolverSetup): Promise<QueryAnswer> {
  const { QueryReqWrap } = cares();
  const [timeout = -1, tries = 4, maxTimeout = 0] = setup.timeout ?? [];
  const resolver = new dns.Resolver({ timeout, tries, maxTimeout } as dns.ResolverOptions);
  const channel = channelOf(resolver);
  if (setup.servers !== undefined) channel.setServers([...setup.servers]);
  if (setup.localAddress !== undefined) channel.setLocalAddress(...setup.localAddress);
  const run = isQuery(method) ? channel[method] : undefined;
  if (run === undefined) return Promise.resolve({ code: 'ENOTIMP' });
  return new Promise((resolve) => {
    const request = new QueryReqWrap();
    request.oncomplete = (error, ...results) => {
      busy.delete(channel);
      resolve(error ? { code: String(error) } : { results });
    };
    busy.add(channel);
    if (run.call(channel, request, name) !== 0) request.oncomplete('EBADNAME');
  });
}

function servers(): unknown[] {
  return channelOf(new dns.Resolver()).getServers();
}

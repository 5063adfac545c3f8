/** URLs of agents: ws://host:port/#TOKEN, tcp://host:port#TOKEN (wss:, tls: with TLS), unix:/path#TOKEN. */
import { ElsewhereError } from '../base/errors.ts';
import {
  type DialledEndpoint,
  type Endpoint,
  type HostEndpoint,
  isRelayed,
  type RelayedEndpoint,
  type SshEndpoint,
} from './transport.ts';

const HOST_SCHEMES: readonly string[] = [
  'ws',
  'wss',
  'tcp',
  'tls',
] satisfies HostEndpoint['scheme'][];
/** Resolved by the registry's client, before anything is dialled. */
const NAMES = ['elsewhere'];

/** Throws ERR_ELSEWHERE_ARGUMENT, naming what is wrong and what there is. Port 0 is for listening only. */
export function parseEndpoint(url: string, purpose: 'listen'): DialledEndpoint;
export function parseEndpoint(url: string, purpose: 'connect' | 'listen'): Endpoint;
export function parseEndpoint(url: string, purpose: 'connect' | 'listen'): Endpoint {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(url)?.[1]?.toLowerCase();
  if (scheme === 'unix') return unixEndpoint(url);
  if (scheme === 'exec' || scheme === 'ssh') return startedEndpoint(scheme, url, purpose);
  if (scheme !== undefined && HOST_SCHEMES.includes(scheme))
    return hostEndpoint(scheme as HostEndpoint['scheme'], url, purpose);
  if (scheme === 'relay' || scheme === 'relays') return relayEndpoint(scheme, url, purpose);
  if (scheme !== undefined && NAMES.includes(scheme)) {
    throw argument(
      `${scheme}: is the name of a service, not an address: connect() and the commands look it up in the registry; here an address is needed (ws:, wss:, tcp:, tls:, unix:, exec: or ssh:)`,
    );
  }
  throw argument(
    `${JSON.stringify(withoutToken(url))} is no URL of an agent: use ws://host:port/#TOKEN, tcp://host:port#TOKEN (with TLS wss: and tls:) or unix:/path#TOKEN`,
  );
}

/** relay://host:port/NAME#TOKEN&RELAY-TOKEN, or relays: with TLS. The URL of a relay itself has no name and one token. */
function relayEndpoint(
  scheme: 'relay' | 'relays',
  url: string,
  purpose: 'connect' | 'listen',
): RelayedEndpoint {
  const [rest, , fragment = ''] = /^([^#]*)(#(.*))?$/s.exec(url)?.slice(1) ?? [];
  const [, address = '', path = ''] = /^(\w+:\/\/[^/]+)\/?(.*)$/s.exec(rest ?? '') ?? [];
  const tokens = fragment.split('&').map(decodeURIComponent);
  const name = decodeURIComponent(path);
  if (name.includes('/') || tokens.length > 2)
    throw argument(
      `${JSON.stringify(withoutToken(url))}: use relay://host:port/NAME#TOKEN&RELAY-TOKEN`,
    );
  const own = scheme === 'relay' ? 'tcp' : 'tls';
  const endpoint = hostEndpoint(own, address, purpose);
  const [first, second] = tokens;
  return {
    ...endpoint,
    scheme: own,
    token: second === undefined || first === '' ? undefined : first,
    relay: { name, token: second ?? first ?? '' },
  } as RelayedEndpoint;
}

/** An agent that is started for this connection alone. */
function startedEndpoint(
  scheme: 'exec' | 'ssh',
  url: string,
  purpose: 'connect' | 'listen',
): Endpoint {
  if (purpose === 'listen')
    throw argument(`${scheme}: starts an agent and connects to it; nobody can listen on it`);
  if (scheme === 'ssh') return sshEndpoint(url);
  const command = url.slice('exec:'.length).trim();
  if (command === '')
    throw argument(
      'an exec: URL needs a command: exec:docker exec -i NAME elsewhere serve --stdio',
    );
  return { scheme, command, token: undefined };
}

function sshEndpoint(url: string): SshEndpoint {
  const [rest] = cut(url);
  const match = /^ssh:\/\/(?:([^@/]+)@)?(\[[^\]]+\]|[^:/@]+)(?::(\d+))?(\/.*)?$/i.exec(rest);
  const [, user, name = '', port, path = '/'] = match ?? [];
  // An option in place of a name would be ssh's to obey.
  if (match === null || name.startsWith('-') || user?.startsWith('-') === true)
    throw argument(
      `${JSON.stringify(rest)} is no address for ssh: use ssh://user@host:port/directory`,
    );
  return {
    scheme: 'ssh',
    host: name.replace(/^\[|\]$/g, ''),
    user: user === undefined ? undefined : decodeURIComponent(user),
    port: port === undefined ? undefined : Number(port),
    cwd: path === '/' ? undefined : decodeURIComponent(path),
    token: undefined,
  };
}

function unixEndpoint(url: string): DialledEndpoint {
  const [rest = '', fragment] = cut(url.slice('unix:'.length));
  const path = decodeURIComponent(rest.replace(/^\/\/(?=\/)/, ''));
  if (path === '') throw argument('a unix: URL needs a path: unix:/run/elsewhere.sock');
  return { scheme: 'unix', path, token: fragment };
}

function hostEndpoint(
  scheme: HostEndpoint['scheme'],
  url: string,
  purpose: 'connect' | 'listen',
): DialledEndpoint {
  const [rest, fragment] = cut(url);
  let parsed: URL;
  try {
    // Parsed as http so that host names and IPv6 literals follow the rules of the web.
    parsed = new URL(rest.replace(/^[a-z]+:/i, 'http:'));
  } catch {
    throw argument(`${JSON.stringify(rest)} is not a URL`);
  }
  if (parsed.password !== '' || (parsed.username !== '' && purpose === 'listen'))
    throw argument('a secret belongs behind #, not before the host: a fragment never travels');
  if (parsed.pathname !== '/' || parsed.search !== '')
    throw argument(`a ${scheme}: URL of an agent has no path`);
  const port = portOf(rest, parsed);
  if (port === 0 && purpose === 'connect')
    throw argument(`${rest} has no port: use the whole URL that \`elsewhere serve\` printed`);
  const host = parsed.hostname.replace(/^\[|\]$/g, '');
  const user = decodeURIComponent(parsed.username);
  return { scheme, host, port, token: fragment, ...(user === '' ? {} : { user }) };
}

/** URL drops a port 80 that was written. */
function portOf(rest: string, parsed: URL): number {
  if (parsed.port !== '') return Number(parsed.port);
  return /:80\/?$/.test(rest) ? 80 : 0;
}

function cut(url: string): [string, string | undefined] {
  const at = url.indexOf('#');
  if (at === -1) return [url, undefined];
  const fragment = url.slice(at + 1);
  return [url.slice(0, at), fragment === '' ? undefined : decodeURIComponent(fragment)];
}

/** Whether a host is this machine seen from itself. A name that only begins with 127. is not: it may lead anywhere. */
export function isLoopback(host: string): boolean {
  return /^(?:localhost|::1|127\.[\d.]+)$/.test(host);
}

/** Whether the agent is started for the connection, and ends with it. */
export function isStarted(endpoint: Endpoint): endpoint is Exclude<Endpoint, DialledEndpoint> {
  return endpoint.scheme === 'exec' || endpoint.scheme === 'ssh';
}

/** The URL to print; with a token only for who may see it. */
export function formatUrl(endpoint: Endpoint, token: string | undefined): string {
  const fragment = token === undefined ? '' : `#${encodeURIComponent(token)}`;
  if (endpoint.scheme === 'unix') return `unix:${encodeURI(endpoint.path)}${fragment}`;
  if (endpoint.scheme === 'exec') return `exec:${endpoint.command}`;
  if (endpoint.scheme === 'ssh') {
    const { user, host, port } = endpoint;
    return `ssh://${user === undefined ? '' : `${user}@`}${host}${port === undefined ? '' : `:${port}`}`;
  }
  if (isRelayed(endpoint)) return formatRelayed(endpoint, token);
  const host = endpoint.host.includes(':') ? `[${endpoint.host}]` : endpoint.host;
  const user = endpoint.user === undefined ? '' : `${encodeURIComponent(endpoint.user)}@`;
  return `${endpoint.scheme}://${user}${host}:${endpoint.port}/${fragment}`;
}

/** An empty token: the URL of the relay itself, with its own. */
function formatRelayed({ scheme, host, port, relay }: RelayedEndpoint, token?: string): string {
  const at = `${scheme === 'tls' ? 'relays' : 'relay'}://${host.includes(':') ? `[${host}]` : host}:${port}`;
  const tokens = [token, relay.token]
    .filter((one) => one !== '')
    .map((one) => encodeURIComponent(one ?? ''));
  return `${at}/${encodeURIComponent(relay.name)}${token === undefined ? '' : `#${tokens.join('&')}`}`;
}

function withoutToken(url: string): string {
  return url.replace(/#.*$/, '#…');
}

function argument(message: string): ElsewhereError {
  return new ElsewhereError('ERR_ELSEWHERE_ARGUMENT', message);
}

/** URLs of agents: ws://host:port/#TOKEN, tcp://host:port#TOKEN, unix:/path#TOKEN. */
import { ElsewhereError } from '../base/errors.ts';
import type { Endpoint } from './transport.ts';

const LATER = ['wss', 'tls', 'ssh', 'exec', 'elsewhere'];

/** Throws ERR_ELSEWHERE_ARGUMENT, naming what is wrong and what there is. Port 0 is for listening only. */
export function parseEndpoint(url: string, purpose: 'connect' | 'listen'): Endpoint {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(url)?.[1]?.toLowerCase();
  if (scheme === 'unix') return unixEndpoint(url);
  if (scheme === 'ws' || scheme === 'tcp') return hostEndpoint(scheme, url, purpose);
  if (scheme !== undefined && LATER.includes(scheme)) {
    throw argument(
      `${scheme}: is not supported by this version of elsewhere yet; use ws:, tcp: or unix:`,
    );
  }
  throw argument(
    `${JSON.stringify(withoutToken(url))} is no URL of an agent: use ws://host:port/#TOKEN, tcp://host:port#TOKEN or unix:/path#TOKEN`,
  );
}

function unixEndpoint(url: string): Endpoint {
  const [rest = '', fragment] = cut(url.slice('unix:'.length));
  const path = decodeURIComponent(rest.replace(/^\/\/(?=\/)/, ''));
  if (path === '') throw argument('a unix: URL needs a path: unix:/run/elsewhere.sock');
  return { scheme: 'unix', path, token: fragment };
}

function hostEndpoint(scheme: 'ws' | 'tcp', url: string, purpose: 'connect' | 'listen'): Endpoint {
  const [rest, fragment] = cut(url);
  let parsed: URL;
  try {
    // Parsed as http so that host names and IPv6 literals follow the rules of the web.
    parsed = new URL(rest.replace(/^[a-z]+:/i, 'http:'));
  } catch {
    throw argument(`${JSON.stringify(rest)} is not a URL`);
  }
  if (parsed.username !== '' || parsed.password !== '')
    throw argument('a token belongs behind #, not before the host: a fragment never travels');
  if (parsed.pathname !== '/' || parsed.search !== '')
    throw argument(`a ${scheme}: URL of an agent has no path`);
  const port = portOf(rest, parsed);
  if (port === 0 && purpose === 'connect')
    throw argument(`${rest} has no port: use the whole URL that \`elsewhere serve\` printed`);
  const host = parsed.hostname.replace(/^\[|\]$/g, '');
  return { scheme, host, port, token: fragment } as Endpoint;
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

/** The URL to print; with a token only for who may see it. */
export function formatUrl(endpoint: Endpoint, token: string | undefined): string {
  const fragment = token === undefined ? '' : `#${encodeURIComponent(token)}`;
  if (endpoint.scheme === 'unix') return `unix:${encodeURI(endpoint.path)}${fragment}`;
  const host = endpoint.host.includes(':') ? `[${endpoint.host}]` : endpoint.host;
  return `${endpoint.scheme}://${host}:${endpoint.port}/${fragment}`;
}

function withoutToken(url: string): string {
  return url.replace(/#.*$/, '#…');
}

function argument(message: string): ElsewhereError {
  return new ElsewhereError('ERR_ELSEWHERE_ARGUMENT', message);
}

/** The PAC file: tells a browser which proxy to use for which URL. */
import { formatPlace, type HostPort } from './place.ts';

export interface PacPorts {
  readonly socks?: HostPort | undefined;
  readonly http?: HostPort | undefined;
}

/** `host` is the address at which the browser has reached us, for ports that listen on every address. */
export function pacFile({ socks, http }: PacPorts, host: string): string {
  const at = ({ host: own, port }: HostPort): string =>
    formatPlace({ host: own === '::' || own === '0.0.0.0' ? host : own, port });
  const ways = [
    ...(socks === undefined ? [] : [`SOCKS5 ${at(socks)}`, `SOCKS ${at(socks)}`]),
    ...(http === undefined ? [] : [`PROXY ${at(http)}`]),
  ];
  return `function FindProxyForURL(url, host) {
  if (host === 'localhost' || host === '[::1]' || shExpMatch(host, '127.*')) return 'DIRECT';
  return '${ways.join('; ')}';
}
`;
}

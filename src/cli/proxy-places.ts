/** The forms in which `elsewhere proxy` takes places: ssh's own for -L and -R. */
import { type HostPort, parseHostPort } from '../proxy/place.ts';
import type { Forward } from '../proxy/proxy.ts';
import type { ExposeOptions } from '../service/expose.ts';
import { UsageError } from './usage.ts';

/** `1080`, `127.0.0.1:1080`, `[::1]:0`, `*:1080`. */
export function listeningPlace(option: string, text: string): HostPort {
  const place = parseHostPort(/^\d+$/.test(text) ? `127.0.0.1:${text}` : text);
  if (place === undefined)
    throw new UsageError(`--${option} needs PORT or HOST:PORT, not ${JSON.stringify(text)}`);
  return anyAddress(place);
}

/** `[BIND:]PORT:HOST:PORT`, and the path of a unix socket in place of either half. */
export function forwardOf(text: string): Forward {
  const { from, to } = halves(text) ?? wrong('-L', text);
  const listen = from.startsWith('/') ? from : listeningPart(from);
  const target = to.startsWith('/') ? to : parseHostPort(to);
  if (listen === undefined || target === undefined) return wrong('-L', text);
  return { listen, to: target };
}

/** The same, seen from the other side: the first half is the far side's. */
export function reverseOf(text: string): ExposeOptions {
  const { from, to } = halves(text) ?? wrong('-R', text);
  const listen = listeningPart(from);
  const target = to.startsWith('/') ? to : parseHostPort(to);
  if (listen === undefined || target === undefined) return wrong('-R', text);
  return { remoteHost: listen.host, remotePort: listen.port, to: target };
}

function listeningPart(text: string): HostPort | undefined {
  const place = parseHostPort(/^\d+$/.test(text) ? `127.0.0.1:${text}` : text);
  return place === undefined ? undefined : anyAddress(place);
}

/** ssh's word for all addresses. */
function anyAddress(place: HostPort): HostPort {
  return place.host === '*' ? { ...place, host: '::' } : place;
}

/** What stands before and behind the colon in the middle. */
function halves(text: string): { from: string; to: string } | undefined {
  const part = String.raw`\[[^\]]+\]:\d+|[^:/[\]]+:\d+`;
  const [, from, to] =
    new RegExp(String.raw`^(${part}|\d+|/[^:]+):(${part}|/.+)$`).exec(text) ?? [];
  return from === undefined || to === undefined ? undefined : { from, to };
}

function wrong(option: string, text: string): never {
  throw new UsageError(
    `${option} needs PORT:HOST:PORT or BIND:PORT:HOST:PORT (a path for a unix socket), not ${JSON.stringify(text)}`,
  );
}

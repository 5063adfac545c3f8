/** Where something is reached, or listened on. */
import type { Socket } from 'node:net';
import { ElsewhereError } from '../base/errors.ts';
import { originals } from '../base/originals.ts';
import { isLoopback } from '../transport/endpoint.ts';

/** A host, by name or address, and a port of it. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** A host and port, or the path of a unix socket. */
export type Place = HostPort | { readonly path: string };

/** `db.corp:5432`, `[::1]:80`, `/run/x.sock`. */
export function formatPlace(place: Place): string {
  if ('path' in place) return place.path;
  return `${place.host.includes(':') ? `[${place.host}]` : place.host}:${place.port}`;
}

/** Undefined for what is none. A port that is missing is `port`, where one is given. */
export function parseHostPort(text: string, port?: number): HostPort | undefined {
  const match = /^(?:\[([\da-f:.%\w]+)\]|([^\s:[\]/]+))(?::(\d{1,5}))?$/i.exec(text);
  const host = match?.[1] ?? match?.[2];
  const given = match?.[3] === undefined ? port : Number(match[3]);
  if (host === undefined || given === undefined || given > 65_535) return undefined;
  return match?.[1] !== undefined && originals.net.isIP(host) !== 6
    ? undefined
    : { host, port: given };
}

/** Throws ERR_ELSEWHERE_DENIED for an address on which others than this machine's users could come. */
export function refusePublic(place: Place): void {
  if ('path' in place || isLoopback(place.host)) return;
  throw new ElsewhereError(
    'ERR_ELSEWHERE_DENIED',
    `refusing to listen on ${formatPlace(place)}: whoever reaches that address could use the far side's network in your name; listen on 127.0.0.1, or say that it is meant for others with \`public\` (--public)`,
  );
}

/** Who is at the other end of a socket that came here. */
export function peerOf({ remoteAddress, remotePort }: Socket): string {
  return remoteAddress === undefined
    ? 'a unix socket'
    : formatPlace({ host: remoteAddress, port: remotePort ?? 0 });
}

/** SOCKS 5 (RFC 1928) as bytes: no sockets here. */
import { literalBytes } from '../security/address.ts';
import type { HostPort } from './place.ts';

export const VERSION = 5;

export const Method = { NONE: 0, UNACCEPTABLE: 0xff } as const;
export const Command = { CONNECT: 1, UDP_ASSOCIATE: 3 } as const;
export const Reply = {
  SUCCEEDED: 0,
  FAILED: 1,
  NOT_ALLOWED: 2,
  NETWORK_UNREACHABLE: 3,
  HOST_UNREACHABLE: 4,
  REFUSED: 5,
  EXPIRED: 6,
  NO_SUCH_COMMAND: 7,
  NO_SUCH_ADDRESS: 8,
} as const;
const Kind = { IPV4: 1, NAME: 3, IPV6: 4 } as const;

/** What was read, and how many bytes it took. Undefined: more must come. Null: it is none. */
export type Read<T> = { readonly value: T; readonly size: number } | undefined | null;

/** The methods of authentication that a client offers. */
export function readGreeting(bytes: Buffer): Read<readonly number[]> {
  if (bytes.length > 0 && bytes[0] !== VERSION) return null;
  const size = 2 + (bytes[1] ?? 0);
  if (bytes.length < 2 || bytes.length < size) return undefined;
  return { value: [...bytes.subarray(2, size)], size };
}

export interface Request {
  readonly command: number;
  readonly place: HostPort;
}

export function readRequest(bytes: Buffer): Read<Request> {
  if (bytes.length > 0 && bytes[0] !== VERSION) return null;
  const found = readPlace(bytes, 3);
  if (!found) return found;
  return { value: { command: bytes[1] ?? 0, place: found.value }, size: found.size };
}

export interface Datagram {
  readonly place: HostPort;
  readonly data: Buffer;
}

/** Undefined for what is none, and for fragments, which nobody sends. */
export function readDatagram(bytes: Buffer): Datagram | undefined {
  const whole = bytes.length > 3 && bytes.readUInt16BE(0) === 0 && bytes[2] === 0;
  const found = whole ? readPlace(bytes, 3) : undefined;
  return found ? { place: found.value, data: bytes.subarray(found.size) } : undefined;
}

/** The address that begins at `at`, and its port. */
function readPlace(bytes: Buffer, at: number): Read<HostPort> {
  const kind = bytes[at];
  if (kind === undefined) return undefined;
  const start = kind === Kind.NAME ? at + 2 : at + 1;
  const length = kind === Kind.IPV4 ? 4 : kind === Kind.IPV6 ? 16 : bytes[at + 1];
  if (kind !== Kind.IPV4 && kind !== Kind.IPV6 && kind !== Kind.NAME) return null;
  if (length === undefined || bytes.length < start + length + 2) return undefined;
  const host = hostOf(kind, bytes.subarray(start, start + length));
  if (host === undefined) return null;
  return {
    value: { host, port: bytes.readUInt16BE(start + length) },
    size: start + length + 2,
  };
}

function hostOf(kind: number, bytes: Buffer): string | undefined {
  if (kind === Kind.IPV4) return bytes.join('.');
  if (kind === Kind.IPV6)
    return Array.from({ length: 8 }, (_, at) => bytes.readUInt16BE(at * 2).toString(16)).join(':');
  const name = bytes.toString('latin1');
  return /^[\x21-\x7e]+$/.test(name) ? name : undefined;
}

export function greetingAnswer(method: number): Buffer {
  return Buffer.from([VERSION, method]);
}

/** `bound` is the address from which the far side connects, or where datagrams are taken. */
export function reply(code: number, bound: HostPort = { host: '0.0.0.0', port: 0 }): Buffer {
  return Buffer.concat([Buffer.from([VERSION, code, 0]), placeBytes(bound)]);
}

export function datagramHeader(from: HostPort): Buffer {
  return Buffer.concat([Buffer.from([0, 0, 0]), placeBytes(from)]);
}

/** `host` is an address. */
function placeBytes({ host, port }: HostPort): Buffer {
  const bytes = literalBytes(host) ?? [0, 0, 0, 0];
  const kind = bytes.length === 4 ? Kind.IPV4 : Kind.IPV6;
  return Buffer.from([kind, ...bytes, port >> 8, port & 255]);
}

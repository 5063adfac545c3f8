/**
 * IP addresses as bytes, so that a rule sees the same address however it is spelled. What embeds an IPv4 address (mapped,
 * NAT64, 6to4) counts as that one; the unspecified address, to which a connect means this machine, as loopback.
 */

/** 4 or 16 bytes. */
export type Address = readonly number[];

/** The bytes as they are written: nothing that embeds another address is resolved. Undefined for what is no address. */
export function literalBytes(text: string): Address | undefined {
  const [bare = ''] = text.split('%');
  return bare.includes(':') ? parseSix(bare) : parseFour(text);
}

/** A dotted quad or an IPv6 address, perhaps with a zone. Undefined for anything else: names, 2130706433, 127.1, 0177.0.0.1. */
export function parseAddress(text: string): Address | undefined {
  const bytes = literalBytes(text);
  return bytes === undefined ? undefined : canonical(bytes);
}

function parseFour(text: string): Address | undefined {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part)))
    return undefined;
  const bytes = parts.map(Number);
  return bytes.every((byte) => byte < 256) ? bytes : undefined;
}

function parseSix(text: string): Address | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map(groups);
  if (head === undefined || (halves.length === 2 && tail === undefined)) return undefined;
  if (tail === undefined) return head.length === 16 ? head : undefined;
  const missing = 16 - head.length - tail.length;
  return missing < 2 ? undefined : [...head, ...new Array<number>(missing).fill(0), ...tail];
}

function groups(text: string): number[] | undefined {
  const bytes: number[] = [];
  const parts = text === '' ? [] : text.split(':');
  for (const [index, part] of parts.entries()) {
    const four = index === parts.length - 1 ? parseFour(part) : undefined;
    if (four !== undefined) bytes.push(...four);
    else if (!/^[\da-f]{1,4}$/i.test(part)) return undefined;
    else bytes.push(Number.parseInt(part, 16) >> 8, Number.parseInt(part, 16) & 255);
  }
  return bytes.length > 16 ? undefined : bytes;
}

function canonical(bytes: Address): Address {
  const four = bytes.length === 4 ? bytes : embedded(bytes);
  if (four !== undefined) return four.every((byte) => byte === 0) ? [127, 0, 0, 1] : four;
  return bytes.every((byte) => byte === 0) ? [...bytes.slice(0, 15), 1] : bytes;
}

const MAPPED: Address = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255];
const NAT64: Address = [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0];
const SIX_TO_FOUR: Address = [0x20, 0x02];

function embedded(bytes: Address): Address | undefined {
  const begins = (prefix: Address): boolean => prefix.every((byte, at) => bytes[at] === byte);
  if (begins(MAPPED) || begins(NAT64)) return bytes.slice(12);
  return begins(SIX_TO_FOUR) ? bytes.slice(2, 6) : undefined;
}

export interface Network {
  readonly address: Address;
  /** How many leading bits count. */
  readonly bits: number;
}

/** `10.0.0.0/8`, `::1`. Undefined for what is none. */
export function parseNetwork(text: string): Network | undefined {
  const [first = '', length, ...rest] = text.split('/');
  const address = parseAddress(first);
  if (address === undefined || rest.length > 0) return undefined;
  const most = address.length * 8;
  if (length === undefined) return { address, bits: most };
  const bits = Number(length);
  return /^\d{1,3}$/.test(length) && bits <= most
    ? // `0.0.0.0/0` is everything, not loopback.
      { address: literalBytes(first) ?? address, bits }
    : undefined;
}

export function isWithin(address: Address, { address: of, bits }: Network): boolean {
  if (address.length !== of.length) return false;
  return address.every((byte, at) => {
    const counted = Math.min(8, Math.max(0, bits - at * 8));
    const mask = (0xff << (8 - counted)) & 0xff;
    return (byte & mask) === ((of[at] ?? 0) & mask);
  });
}

const networks = (...texts: string[]): Network[] =>
  texts.flatMap((text) => parseNetwork(text) ?? []);

/** Where clouds hand out credentials to whoever asks from the machine itself. */
const METADATA = networks('169.254.169.254', '169.254.170.2', '100.100.100.200', 'fd00:ec2::254');
/** What a name must not lead to: this machine, its link, and what is no single host. */
const NEAR = networks(
  '127.0.0.0/8',
  '::1',
  '169.254.0.0/16',
  'fe80::/10',
  '224.0.0.0/4',
  'ff00::/8',
  '255.255.255.255',
);

export function isMetadata(address: Address): boolean {
  return METADATA.some((network) => isWithin(address, network));
}

export function isNear(address: Address): boolean {
  return NEAR.some((network) => isWithin(address, network));
}

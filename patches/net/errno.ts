/** Error numbers and Node's error shapes. Numbers differ between systems, so the wire carries names only. */
import { getSystemErrorName } from 'node:util';
import { knownError } from '../../src/base/system-errors.ts';

export function isSystemCode(code: string): boolean {
  return knownError(code) !== undefined;
}

/** As Node's ErrnoException: same message, same own properties in the same order. */
export function systemError(
  errno: number,
  syscall: string,
  cause?: unknown,
): NodeJS.ErrnoException {
  const code = getSystemErrorName(errno);
  const error = new Error(`${syscall} ${code}`, cause === undefined ? undefined : { cause });
  return Object.assign(error, { errno, code, syscall });
}

/** As Node's ExceptionWithHostPort. `local` is told of a connect that failed at once. */
export function addressError(
  errno: number,
  syscall: string,
  address: string,
  port: number,
  local?: string,
): NodeJS.ErrnoException {
  const code = getSystemErrorName(errno);
  const place = port > 0 ? `${address}:${port}` : address;
  const from = local === undefined ? '' : `${LOCAL}${local})`;
  const error = new Error(`${syscall} ${code} ${place}${from}`);
  return Object.assign(error, { errno, code, syscall, address }, port > 0 ? { port } : {});
}

const LOCAL = ' - Local (';

/** The local end in the message of Node's error, when the connect failed at once: else the error has it as properties. */
export function localOf({ message, ...own }: Error): string | undefined {
  const start = message.lastIndexOf(LOCAL);
  if (start < 0 || !message.endsWith(')') || 'localAddress' in own) return undefined;
  return message.slice(start + LOCAL.length, -1);
}

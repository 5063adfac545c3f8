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

/** As Node's ExceptionWithHostPort. */
export function addressError(
  errno: number,
  syscall: string,
  address: string,
  port: number,
): NodeJS.ErrnoException {
  const code = getSystemErrorName(errno);
  const place = port > 0 ? `${address}:${port}` : address;
  const error = new Error(`${syscall} ${code} ${place}`);
  return Object.assign(error, { errno, code, syscall, address }, port > 0 ? { port } : {});
}

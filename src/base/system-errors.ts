/** This system's errors by code. Error numbers differ between systems, so only codes travel. */
import { getSystemErrorMap } from 'node:util';

export interface KnownError {
  /** Negative, as in libuv. */
  readonly errno: number;
  /** Such as 'no such file or directory'. */
  readonly text: string;
}

let table: Map<unknown, KnownError> | undefined;

/** Undefined for what is no code of this system. The table is made at first use: programs that see no error don't pay. */
export function knownError(code: unknown): KnownError | undefined {
  if (table === undefined) {
    table = new Map();
    for (const [errno, [name, text]] of getSystemErrorMap()) table.set(name, { errno, text });
  }
  return table.get(code);
}

const UNKNOWN = -4094;

/** This machine's (negative) number for an error code of the far side. */
export function errnoOf(code: string): number {
  return knownError(code)?.errno ?? UNKNOWN;
}

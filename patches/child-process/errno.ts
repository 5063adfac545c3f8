/** Numbers of errors and signals differ between systems, so names travel. */
import { constants } from 'node:os';
import { knownError } from '../../src/base/system-errors.ts';

const UNKNOWN = -4094;

/** This machine's (negative) number for an error code of the far side. */
export function errnoOf(code: string): number {
  return knownError(code)?.errno ?? UNKNOWN;
}

const names = new Map<number, string>();
for (const [name, number] of Object.entries(constants.signals))
  if (!names.has(number)) names.set(number, name);

export function signalName(number: number): string | 0 {
  return number === 0 ? 0 : (names.get(number) ?? String(number));
}

/** Undefined for a signal that this system lacks. */
export function signalNumber(name: string | 0): number | undefined {
  return name === 0 ? 0 : (constants.signals as Record<string, number>)[name];
}

/**
 * File descriptors of far files: ordinary numbers, far above the kernel's, below the range of Node's own virtual file
 * systems (0x40000000). A descriptor belongs to the connection that opened it, whatever scope uses it later.
 */
import type { FsTarget } from './api.ts';
import type { Reader } from './reader.ts';

const FIRST = 0x20000000;
const LIMIT = 0x40000000;

export interface FarFile {
  readonly kind: 'far';
  readonly target: FsTarget;
  /** The far side's number for it. */
  readonly id: number;
  /** For a regular file that is only read, as long as nobody else shares its position. */
  reader: Reader | undefined;
  /** How many descriptors it has: it is closed with the last. */
  numbers: number;
  /** Opened for reading only: closing it cannot fail, and needs no answer. */
  readonly readOnly: boolean;
}

/** A file that `fs.writeFile` believes open: all was done in one call (write-file.ts). */
export interface WrittenFile {
  readonly kind: 'written';
  readonly target: FsTarget;
  /** Why the write failed, for the call that will ask. */
  failure: unknown;
}

export type OpenFile = FarFile | WrittenFile;

const slots: (OpenFile | undefined)[] = [];
const free: number[] = [];

export function isDescriptor(value: unknown): value is number {
  return typeof value === 'number' && value >= FIRST && value < LIMIT;
}

export function addFile(file: OpenFile): number {
  const slot = free.pop() ?? slots.length;
  slots[slot] = file;
  return FIRST + slot;
}

/** As dup(2). */
export function duplicate(file: FarFile): number {
  file.numbers++;
  return addFile(file);
}

export function openFile(descriptor: number): OpenFile | undefined {
  return slots[descriptor - FIRST];
}

/** Forgets the descriptor, so that its number is free at once, as the kernel's are. */
export function removeFile(descriptor: number): OpenFile | undefined {
  const slot = descriptor - FIRST;
  const file = slots[slot];
  if (file === undefined) return undefined;
  slots[slot] = undefined;
  free.push(slot);
  return file;
}

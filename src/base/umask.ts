/** The mask of the process, changed for a moment. */
import { originals } from './originals.ts';

/**
 * Runs `fn` with this mask, if there is one. All threads of the process have it meanwhile, so `fn` must be one quick step
 * of the kernel's that takes no mode: binding a unix socket, starting a child.
 */
export function withUmask<R>(mask: number | undefined, fn: () => R): R {
  if (mask === undefined) return fn();
  const before = originals.process.umask(mask);
  try {
    return fn();
  } finally {
    originals.process.umask(before);
  }
}

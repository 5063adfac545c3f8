/**
 * Files that the program is done with, and that were only read: they are closed without waiting. A blocking program may
 * open thousands in one turn, so they also travel with the next `open`.
 */
import type { FsTarget } from './api.ts';

const pending = new WeakMap<object, number[]>();

export function closeLater(target: FsTarget, id: number): void {
  const known = pending.get(target.connection);
  if (known !== undefined) {
    known.push(id);
    return;
  }
  const ids = [id];
  pending.set(target.connection, ids);
  // Not by setImmediate: that would bring a program that is about to end back to life.
  process.nextTick(flush, target, ids);
}

function flush(target: FsTarget, ids: number[]): void {
  if (pending.get(target.connection) === ids) pending.delete(target.connection);
  if (ids.length > 0 && target.alive) target.notify('discard', [...ids]);
}

/** The files that the call which is being made should close first. */
export function takeClosing(target: FsTarget): readonly number[] {
  return pending.get(target.connection)?.splice(0) ?? [];
}

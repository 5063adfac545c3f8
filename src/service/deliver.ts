/** A value of this side, made anew on the far one. */
import type { Reference } from '../objects/types.ts';
import type { Connection } from './connection.ts';

/**
 * Makes a copy of `value` on the far side and gives a reference to it. Functions are sent as source (see `teleport`);
 * data may hold functions: those stay here, and are called from there. Classic mode.
 */
export function deliver<T>(conn: Connection, value: T): Promise<Reference<T>> {
  return conn.deliver(value);
}

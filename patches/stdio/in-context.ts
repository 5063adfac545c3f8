import { AsyncResource } from 'node:async_hooks';
import type { StreamHandler } from '../../src/patch.ts';

/** What is heard is told in the async context of now, which is the program's, and not in that of our connection. */
export function inContext(handler: StreamHandler): StreamHandler {
  const resource = new AsyncResource('ELSEWHERE_STDIO');
  const bound = Object.entries(handler).map(([event, tell]) => [
    event,
    (...args: unknown[]) => resource.runInAsyncScope(tell, handler, ...args),
  ]);
  return Object.fromEntries(bound) as StreamHandler;
}

/** What the dispatchers of this patch share. */
import type { LocalContext } from '../../src/patch.ts';
import type { NetCalls, NetStreams } from './api.ts';
import { defineHandles, type HandleClasses } from './handle.ts';
import { type Internals, ownConnect, reachInternals } from './internals.ts';
import type { Routes } from './routes.ts';

/** Node's own parts, and the handle classes made of them. */
export interface Parts {
  readonly node: Internals;
  readonly handles: HandleClasses;
}

export interface Installation extends Parts {
  readonly context: LocalContext<NetCalls, NetStreams>;
  readonly routes: Routes;
}

let parts: Parts | undefined;

/** Found once per process; the first time while nothing is substituted yet. */
export function nodeParts(): Parts {
  if (parts === undefined) {
    const node = reachInternals(ownConnect());
    parts = { node, handles: defineHandles(node) };
  }
  return parts;
}

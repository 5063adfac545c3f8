/** What the dispatchers of this patch share. */
import type { LocalContext } from '../../src/patch.ts';
import type { NetCalls, NetStreams } from './api.ts';
import type { HandleClasses } from './handle.ts';
import type { Internals } from './internals.ts';
import type { Routes } from './routes.ts';

export interface Installation {
  readonly context: LocalContext<NetCalls, NetStreams>;
  readonly node: Internals;
  readonly handles: HandleClasses;
  readonly routes: Routes;
}

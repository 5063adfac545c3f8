/**
 * The near half of the net patch: which handle a client socket gets. Everything above the handle is Node's own code.
 * Servers stay local in every scope, a stated limit: a program that must be reached from the far side listens there.
 */
import type { LocalContext } from '../../src/patch.ts';
import type { NetCalls, NetStreams } from './api.ts';
import { installConnect } from './connect.ts';
import { installEarlyWrites } from './early-write.ts';
import { installGuards } from './guards.ts';
import { defineHandles } from './handle.ts';
import { ownConnect, reachInternals } from './internals.ts';
import { Routes } from './routes.ts';
import { installTls } from './tls-socket.ts';

export function netLocal(context: LocalContext<NetCalls, NetStreams>): void {
  const node = reachInternals(ownConnect());
  const handles = defineHandles(node);
  const routes = new Routes(context);
  const installation = { context, node, handles, routes };
  installTls(installation);
  installConnect(installation);
  installEarlyWrites(installation);
  installGuards(installation);
}

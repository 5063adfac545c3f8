/** The near half of the net patch: which handle a client socket gets. Everything above the handle is Node's own code. */
import type { LocalContext } from '../../src/patch.ts';
import type { NetCalls, NetStreams } from './api.ts';
import { installConnect } from './connect.ts';
import { installEarlyWrites } from './early-write.ts';
import { installGuards } from './guards.ts';
import { nodeParts } from './installation.ts';
import { Routes } from './routes.ts';
import { installTls } from './tls-socket.ts';

export function netLocal(context: LocalContext<NetCalls, NetStreams>): void {
  const installation = { ...nodeParts(), context, routes: new Routes(context) };
  installConnect(installation);
  installEarlyWrites(installation);
  installGuards(installation);
  installTls(installation);
}

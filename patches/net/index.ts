/** The net patch: client sockets of a scope are dialled on the far side. The server patch: servers listen there. */
import { type AnyPatch, definePatch } from '../../src/patch.ts';
import { NET_SIGNALS, SERVER_ANSWERS, SERVER_SIGNALS } from './answers.ts';
import type { NetCalls, NetStreams } from './api.ts';
import { netLocal } from './local.ts';
import { netRemote } from './remote.ts';
import type { ServerCalls, ServerStreams } from './server/api.ts';
import { serverLocal } from './server/local.ts';
import { serverRemote } from './server/remote.ts';

export const netPatch: AnyPatch = definePatch<NetCalls, NetStreams>({
  name: 'net',
  answers: {},
  signals: NET_SIGNALS,
  local: netLocal,
  remote: netRemote,
});

/** Apart from net, so that a scope can keep its servers here: `except: ['server']`. */
export const serverPatch: AnyPatch = definePatch<ServerCalls, ServerStreams>({
  name: 'server',
  requires: ['net'],
  follows: 'net',
  answers: SERVER_ANSWERS,
  signals: SERVER_SIGNALS,
  local: serverLocal,
  remote: serverRemote,
});

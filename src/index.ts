/** The public API. The one place, with register.ts, agent.ts, cli.ts and testing.ts, that knows the patches. */

import { Overlay, type OverlayOptions, patches } from '../patches/index.ts';
import { setPatches } from './scope/installer.ts';
import type { Remote } from './scope/with-remote.ts';
import { type ConnectionPair, connectPairWith } from './service/pair.ts';
import { type ServeOptions, type Server, serveWith } from './service/serve.ts';

export type { Change, Overlay, OverlayOptions } from '../patches/index.ts';
export { ElsewhereError, type ElsewhereErrorCode } from './base/errors.ts';
export type { PeerInfo } from './connection/channel.ts';
export type {
  EnvChoice,
  ScopeView,
  StdioChoice,
  StdioStreams,
  StdioWay,
  StdioWays,
} from './patch.ts';
export { captureStdio } from './scope/capture.ts';
export { type Explanation, explain, type Subject } from './scope/explain.ts';
export { currentScope, install, uninstall } from './scope/installer.ts';
export type { PathOptions } from './scope/path-rules.ts';
export {
  bindScope,
  type Composition,
  type Remote,
  type RemoteOptions,
  withLocal,
  withRemote,
} from './scope/with-remote.ts';
export { type ConnectOptions, connect } from './service/connect.ts';
export { Connection, type ConnectionEvents, type ConnectionStats } from './service/connection.ts';
export type { ConnectionPair } from './service/pair.ts';
export { redirectStdio } from './service/redirect-stdio.ts';
export {
  type ServeOptions,
  Server,
  type ServerConnection,
  type ServerEvents,
} from './service/serve.ts';

setPatches(patches);

/** Serves this machine's files, sockets, processes and stdio to who knows the token. Listens on loopback by default. */
export function serve(options: ServeOptions = {}): Promise<Server> {
  return serveWith(patches, options);
}

/** A connection to an agent in this same process, for tests. */
export function connectPair(options: ServeOptions = {}): Promise<ConnectionPair> {
  return connectPairWith(patches, options);
}

/**
 * The files of a connection, with all changes kept on this side: `withRemote({ fs: overlay(conn) }, fn)`. `diff()` lists
 * them, `commit()` carries them out on the far side, `discard()` forgets them. ERR_ELSEWHERE_ARGUMENT for a folder that
 * is not an overlay's.
 */
export function overlay(remote: Remote, options: OverlayOptions = {}): Overlay {
  return new Overlay(remote.channel, options);
}

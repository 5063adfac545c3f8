/** The public API. The one place, with register.ts, agent.ts, cli.ts and testing.ts, that knows the patches. */

import { Overlay, type OverlayOptions, patches } from '../patches/index.ts';
import {
  type Calls,
  definePatch as checkedPatch,
  type NoStreams,
  type Patch,
  type Streams,
} from './patch.ts';
import { type Registration, register } from './registry/client.ts';
import { addPatch, knownPatches, setPatches } from './scope/installer.ts';
import type { Remote } from './scope/with-remote.ts';
import type { ConnectOptions } from './service/connect.ts';
import { type ConnectionPair, connectPairWith } from './service/pair.ts';
import { type ServeOptions, type Server, serveWith } from './service/serve.ts';

export type { Change, Overlay, OverlayOptions } from '../patches/index.ts';
export { ElsewhereError, type ElsewhereErrorCode } from './base/errors.ts';
export type { PeerInfo } from './connection/channel.ts';
export { type ExposedOptions, exposed } from './objects/exposure.ts';
export type { Limits } from './objects/limits.ts';
export {
  byRef,
  byValue,
  type DecidesAccess,
  type Permissions,
  remoteAccess,
  restricted,
  type Use,
} from './objects/marks.ts';
export { isRemote, within } from './objects/reference.ts';
export { obtain, oneway, release, remoteReflect } from './objects/remote.ts';
export type {
  Member,
  Outcome,
  Received,
  Reference,
  Sent,
  Untyped,
  ValueClasses,
} from './objects/types.ts';
export type {
  ByteStream,
  Calls,
  EnvChoice,
  LocalContext,
  NoStreams,
  Patch,
  PolicyView,
  RemoteContext,
  RemoteHalf,
  RemoteStream,
  ScopeView,
  StdioChoice,
  StdioStreams,
  StdioWay,
  StdioWays,
  StreamHandler,
  Streams,
  Target,
} from './patch.ts';
export type { HostPort, Place } from './proxy/place.ts';
export { type Forward, type ProxyOptions, proxy, type RunningProxy } from './proxy/proxy.ts';
export type { ProxyEvent, ProxyStats } from './proxy/traffic.ts';
export {
  connectByName as connect,
  discover,
  listServices,
  type Registration,
  type RegistryChoice,
  watch,
} from './registry/client.ts';
export type { Endpoint, RegistryEvent } from './registry/registry.ts';
export { type RegistryOptions, serveRegistry } from './registry/server.ts';
export { type Relay, type RelayOptions, serveRelay } from './relay/relay.ts';
export { captureStdio } from './scope/capture.ts';
export { type Explanation, explain, type Subject } from './scope/explain.ts';
export { currentScope, install, uninstall } from './scope/installer.ts';
export type { NetworkOptions, Via } from './scope/network-rules.ts';
export type { PathOptions } from './scope/path-rules.ts';
export type { Scope } from './scope/scope.ts';
export type { ScopeOperation, ScopePolicy } from './scope/scope-policy.ts';
export {
  bindScope,
  type Composition,
  type Remote,
  type RemoteOptions,
  withLocal,
  withRemote,
} from './scope/with-remote.ts';
export type { Policy } from './security/policy.ts';
export type { ConnectOptions } from './service/connect.ts';
export {
  Connection,
  type ConnectionEvents,
  type ConnectionStats,
  type SyncFace,
  type TeleportOptions,
} from './service/connection.ts';
export { deliver } from './service/deliver.ts';
export { type Deployment, deploy } from './service/deploy.ts';
export { type ExposedPort, type ExposeOptions, expose } from './service/expose.ts';
export { type InteractOptions, interact } from './service/interact.ts';
export type { FarModules, FarModuleTypes, ImportModule } from './service/modules.ts';
export type { ConnectionPair } from './service/pair.ts';
export type { AuditRecord, RecordOptions } from './service/records.ts';
export { type AttachedStdio, redirectStdio } from './service/redirect-stdio.ts';
export {
  type ServeOptions,
  Server,
  type ServerConnection,
  type ServerEvents,
} from './service/serve.ts';
export {
  type Exposed,
  type Intercept,
  Service,
  type ServiceCall,
  type ServiceFailure,
  type ServicePeer,
  type ServiceSource,
  type ServingOptions,
} from './service/service.ts';
export { type Tracked, timed, track } from './service/tracked.ts';
export {
  download,
  type TransferOptions,
  type TransferStats,
  upload,
  uploadModule,
} from './service/transfer.ts';
export type { AuthOptions, Credentials, Login } from './session/keyring.ts';
export type { CallMessage, ResumeMessage, StreamMessage } from './session/observed-session.ts';
export { type ClassOptions, registerClass } from './wire/classes.ts';

setPatches(patches);

/** Serves this machine's files, sockets, processes and stdio to who knows the token. Listens on loopback by default. */
export async function serve(
  options: ServeOptions & { readonly register?: Registration } = {},
): Promise<Server> {
  const server = await serveWith(knownPatches(), options);
  if (options.register === undefined) return server;
  try {
    await register(server, options.register);
    return server;
  } catch (error) {
    await server.close();
    throw error;
  }
}

/**
 * Adds a patch of your own to those of this package: both halves, in the program with the scopes and in the one with the
 * agent, before the first scope and before `serve`. `node --import ./my-patch.js` brings it to a program that knows nothing
 * of it, `elsewhere serve` among them. Throws ERR_ELSEWHERE_ARGUMENT for a name that is taken, and when it is too late.
 */
export function definePatch<C extends Calls<C>, S extends Streams<S> = NoStreams>(
  patch: Patch<C, S>,
): void {
  addPatch(checkedPatch(patch));
}

/** A connection to an agent in this same process, for tests. */
export function connectPair<S = unknown>(
  options: ServeOptions = {},
  near: Pick<ConnectOptions, 'service'> = {},
): Promise<ConnectionPair<S>> {
  return connectPairWith<S>(knownPatches(), options, near);
}

/**
 * The files of a connection, with all changes kept on this side: `withRemote({ fs: overlay(conn) }, fn)`. `diff()` lists
 * them, `commit()` carries them out on the far side, `discard()` forgets them. ERR_ELSEWHERE_ARGUMENT for a folder that
 * is not an overlay's.
 */
export function overlay(remote: Remote, options: OverlayOptions = {}): Overlay {
  return new Overlay(remote.channel, options);
}

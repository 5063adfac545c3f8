/** Node's modules as types, so that `conn.modules.os.hostname()` completes in an editor. */
import type { Member, Reference, Untyped } from '../objects/types.ts';

/** Modules by their names. Declaration merging adds your own: `interface FarModuleTypes { payroll: typeof payroll }`. */
export interface FarModuleTypes {
  assert: typeof import('node:assert');
  async_hooks: typeof import('node:async_hooks');
  buffer: typeof import('node:buffer');
  child_process: typeof import('node:child_process');
  crypto: typeof import('node:crypto');
  dgram: typeof import('node:dgram');
  dns: typeof import('node:dns');
  'dns/promises': typeof import('node:dns/promises');
  events: typeof import('node:events');
  fs: typeof import('node:fs');
  'fs/promises': typeof import('node:fs/promises');
  http: typeof import('node:http');
  http2: typeof import('node:http2');
  https: typeof import('node:https');
  inspector: typeof import('node:inspector');
  module: typeof import('node:module');
  net: typeof import('node:net');
  os: typeof import('node:os');
  path: typeof import('node:path');
  perf_hooks: typeof import('node:perf_hooks');
  process: typeof import('node:process');
  querystring: typeof import('node:querystring');
  readline: typeof import('node:readline');
  'readline/promises': typeof import('node:readline/promises');
  stream: typeof import('node:stream');
  'stream/promises': typeof import('node:stream/promises');
  string_decoder: typeof import('node:string_decoder');
  timers: typeof import('node:timers');
  'timers/promises': typeof import('node:timers/promises');
  tls: typeof import('node:tls');
  tty: typeof import('node:tty');
  url: typeof import('node:url');
  util: typeof import('node:util');
  v8: typeof import('node:v8');
  vm: typeof import('node:vm');
  worker_threads: typeof import('node:worker_threads');
  zlib: typeof import('node:zlib');
}

type Names = keyof FarModuleTypes & string;

/** `conn.modules` */
export type FarModules = { readonly [K in Names]: Member<FarModuleTypes[K]> } & {
  readonly [K in Names as `node:${K}`]: Member<FarModuleTypes[K]>;
} & { readonly [specifier: string]: Untyped };

/** `conn.sync.modules` */
export type SyncModules = { readonly [K in Names]: FarModuleTypes[K] } & {
  readonly [K in Names as `node:${K}`]: FarModuleTypes[K];
} & { readonly [specifier: string]: SyncUntyped };

/** Something whose type is not known: at use it is what the far side has. */
export type SyncUntyped = ((...args: unknown[]) => SyncUntyped) & { [name: string]: SyncUntyped };

/** A module of Node by its name, or any other with its type as the parameter. */
export interface ImportModule {
  <K extends Names>(specifier: K | `node:${K}`): Promise<Reference<FarModuleTypes[K]>>;
  <T = unknown>(specifier: string): Promise<Reference<T>>;
}

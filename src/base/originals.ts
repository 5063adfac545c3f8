/**
 * Node's own modules as they were before any substitution: what the toolkit itself uses. Replaced exports are not seen
 * through these copies; replaced prototypes are, so `connectSocket` keeps the one method of them that we depend on.
 */
import nodeChildProcess from 'node:child_process';
import type nodeDgram from 'node:dgram';
import type nodeDns from 'node:dns';
import nodeFs from 'node:fs';
import type nodeHttp from 'node:http';
import type nodeHttps from 'node:https';
import nodeNet from 'node:net';
import nodeOs from 'node:os';
import type nodeTls from 'node:tls';
import { unforwarded, withoutForwards } from './forwards.ts';

export interface Originals {
  readonly childProcess: typeof nodeChildProcess;
  readonly dgram: typeof nodeDgram;
  readonly dns: typeof nodeDns;
  readonly fs: typeof nodeFs;
  readonly http: typeof nodeHttp;
  readonly https: typeof nodeHttps;
  readonly net: typeof nodeNet;
  readonly os: typeof nodeOs;
  readonly tls: typeof nodeTls;
  readonly process: {
    readonly cwd: () => string;
    readonly chdir: (directory: string) => void;
    readonly umask: (mask: number) => number;
    readonly env: NodeJS.ProcessEnv;
    readonly stdin: NodeJS.ReadStream;
    readonly stdout: NodeJS.WriteStream;
    readonly stderr: NodeJS.WriteStream;
  };
}

const getter = (name: 'stdin' | 'stdout' | 'stderr'): (() => unknown) => {
  const own = Object.getOwnPropertyDescriptor(process, name);
  return () => (own?.get === undefined ? own?.value : own.get.call(process));
};
const stdin = getter('stdin');
const stdout = getter('stdout');
const stderr = getter('stderr');

const connect = nodeNet.Socket.prototype.connect as (
  this: nodeNet.Socket,
  options: nodeNet.NetConnectOpts,
) => nodeNet.Socket;

/** A socket that connects as Node does, whatever is made of `net.Socket.prototype.connect` later: by us, or by a program. */
export function connectSocket(options: nodeNet.NetConnectOpts): nodeNet.Socket {
  return connect.call(new nodeNet.Socket(options as nodeNet.SocketConstructorOpts), options);
}

export const originals: Originals = {
  childProcess: withoutForwards(nodeChildProcess),
  fs: withoutForwards(nodeFs),
  net: withoutForwards(nodeNet),
  os: withoutForwards(nodeOs),
  // Loaded by the first who needs them: TLS loads slowly, and we substitute nothing of what these export but by scope.
  get dgram() {
    return process.getBuiltinModule('node:dgram');
  },
  get dns() {
    return process.getBuiltinModule('node:dns');
  },
  // A copy, or an import, would ask it for all that it has, which brings in fetch and all that is under it.
  get http() {
    return process.getBuiltinModule('node:http');
  },
  get https() {
    return process.getBuiltinModule('node:https');
  },
  get tls() {
    return process.getBuiltinModule('node:tls');
  },
  process: {
    cwd: unforwarded(process, 'cwd'),
    chdir: unforwarded(process, 'chdir'),
    umask: unforwarded(process, 'umask'),
    env: process.env,
    // Made at first use only: merely looking at process.stdin opens it.
    get stdin() {
      return stdin() as NodeJS.ReadStream;
    },
    get stdout() {
      return stdout() as NodeJS.WriteStream;
    },
    get stderr() {
      return stderr() as NodeJS.WriteStream;
    },
  },
};

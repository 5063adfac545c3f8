/**
 * What a remote handle answers to Node's own JavaScript, as tables of methods. Whatever the native classes have and these
 * lack would throw "Illegal invocation".
 */

import { errnoOf } from '../../src/base/system-errors.ts';
import type { Address, Command } from './api.ts';
import { farPath } from './far-path.ts';
import { type ConnectRequest, type NativeStream, wantsNoDelay } from './internals.ts';
import { LINK, type Link } from './link.ts';

/** A handle of this patch. */
export interface RemoteHandle extends NativeStream {
  readonly [LINK]: Link;
}

function unsupported(): number {
  return errnoOf('ENOTSUP');
}

function tell(handle: RemoteHandle, command: Command): number {
  handle[LINK].command(command);
  return 0;
}

export const common: object = {
  get isStreamBase(): boolean {
    // Every native consumer looks here first.
    (this as unknown as RemoteHandle)[LINK].reader.native = true;
    return true;
  },
  get writeQueueSize(): number {
    return (this as unknown as RemoteHandle)[LINK].writeQueueSize;
  },
  readStart(this: RemoteHandle): number {
    this[LINK].reader.start();
    return 0;
  },
  readStop(this: RemoteHandle): number {
    this[LINK].reader.stop();
    return 0;
  },
  // The four that native code calls.
  onreadstart(this: RemoteHandle): number {
    this[LINK].reader.start();
    return 0;
  },
  onreadstop(this: RemoteHandle): number {
    this[LINK].reader.stop();
    return 0;
  },
  onwrite(this: RemoteHandle, request: object, buffers: Uint8Array[]): number {
    return this[LINK].writeNative(request, buffers);
  },
  onshutdown(this: RemoteHandle, request: object): number {
    return this[LINK].shutdown(request);
  },
  connect: connectPipe,
  connect2: connectPipe,
  close(this: RemoteHandle, done?: () => void): void {
    this[LINK].close(done);
  },
  isClosing(this: RemoteHandle): boolean {
    return this[LINK].isClosed;
  },
  ref(this: RemoteHandle): void {
    this[LINK].referenced = true;
  },
  unref(this: RemoteHandle): void {
    this[LINK].referenced = false;
  },
  hasRef(this: RemoteHandle): boolean {
    return this[LINK].referenced;
  },
  open: unsupported,
  bind: unsupported,
  listen: unsupported,
  fchmod: unsupported,
  setBlocking: unsupported,
  setSimultaneousAccepts: unsupported,
  setPendingInstances: unsupported,
};

function connectPipe(this: RemoteHandle, request: ConnectRequest, path: string): number {
  const { place, target } = this[LINK];
  if (place?.side === 'denied') return errnoOf('EACCES');
  const there = place?.side === 'far' ? place.path : path;
  return this[LINK].connect(request, { path: farPath(target, there) });
}

function connectTcp(
  this: RemoteHandle,
  request: ConnectRequest,
  address: string,
  port: number,
): number {
  // Node would ask for it once connected: so it costs no packet of its own.
  if (wantsNoDelay(this[LINK].around.owner())) setNoDelay.call(this, true);
  return this[LINK].connect(request, { ...this[LINK].bound, address, port });
}

function setNoDelay(this: RemoteHandle, on: boolean): number {
  const link = this[LINK];
  if (link.noDelay === on) return 0;
  link.noDelay = on;
  return tell(this, { kind: 'noDelay', on });
}

/** Only remembered: the far side binds when it connects. */
function bindTcp(this: RemoteHandle, localAddress: string, localPort?: number): number {
  this[LINK].bound = { localAddress, ...(localPort ? { localPort } : {}) };
  return 0;
}

export const tcpOnly: object = {
  connect: connectTcp,
  connect6: connectTcp,
  bind: bindTcp,
  bind6: bindTcp,
  getsockname(this: RemoteHandle, out: object): number {
    const { local, bound } = this[LINK];
    if (local !== undefined) return tellName(out, local);
    if (bound.localAddress === undefined) return errnoOf('EBADF');
    // Node compares the port with what it asked for.
    const family = bound.localAddress.includes(':') ? 'IPv6' : 'IPv4';
    return tellName(out, { address: bound.localAddress, family, port: bound.localPort ?? 0 });
  },
  getpeername(this: RemoteHandle, out: object): number {
    const { remote } = this[LINK];
    return remote === undefined ? errnoOf('ENOTCONN') : tellName(out, remote);
  },
  setNoDelay,
  setKeepAlive(
    this: RemoteHandle,
    on: boolean,
    delay: number,
    interval?: number,
    count?: number,
  ): number {
    const more = {
      ...(interval === undefined ? {} : { interval }),
      ...(count === undefined ? {} : { count }),
    };
    return tell(this, { kind: 'keepAlive', on, delay, ...more });
  },
  // Node 26 and later; a far side that is older cannot do it.
  setTypeOfService(this: RemoteHandle, value: number): number {
    // Node has it since 26.
    if (Number.parseInt(this[LINK].target.peer.node, 10) < 26) return errnoOf('ENOTSUP');
    this[LINK].typeOfService = value;
    return tell(this, { kind: 'typeOfService', value });
  },
  getTypeOfService(this: RemoteHandle): number {
    return this[LINK].typeOfService;
  },
  reset(this: RemoteHandle, done?: () => void): number {
    const link = this[LINK];
    if (link.isClosed) return errnoOf('EBADF');
    link.command({ kind: 'reset' });
    link.close(done);
    return 0;
  },
};

function tellName(out: object, name: Address): number {
  Object.assign(out, name);
  return 0;
}

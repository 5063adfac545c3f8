/**
 * The handle classes of remote sockets: Node's JSStream, made to look like a TCP or Pipe handle, each instance tied to a
 * link. Above them Node's own `net.Socket`, `tls.TLSSocket` and HTTP/2 work unchanged.
 */
import { hideActivity } from '../../src/base/activity.ts';
import { common, type RemoteHandle, tcpOnly } from './handle-methods.ts';
import type { Internals, SocketInside } from './internals.ts';
import { LINK, Link, linkOf, type NetTarget, type Owner } from './link.ts';
import { bytesOf, OwnWrite, WRITES, type WriteState } from './own-write.ts';

export type HandleClass = new (target: NetTarget) => RemoteHandle;

export interface HandleClasses {
  readonly RemoteTcp: HandleClass;
  readonly RemotePipe: HandleClass;
}

/** TLS sockets that read from a handle: they, not the socket that owns it, hear of its failures. */
const tlsReaders = new WeakMap<object, Owner>();

export function setTlsReader(handle: object, socket: Owner): void {
  tlsReaders.set(handle, socket);
}

export function defineHandles(node: Internals): HandleClasses {
  return {
    RemoteTcp: defineHandle(node, 'TCP', tcpOnly),
    RemotePipe: defineHandle(node, 'Pipe', {}),
  };
}

function defineHandle(node: Internals, kind: 'TCP' | 'Pipe', own: object): HandleClass {
  const native = node[kind];
  class Remote extends node.JSStream {
    constructor(target: NetTarget) {
      super();
      const owner = (): Owner | undefined =>
        tlsReaders.get(this) ?? (Reflect.get(this, node.owner) as Owner | undefined);
      const phantom = (): InstanceType<typeof native> => {
        const handle = new native(0);
        hideActivity(handle);
        return handle;
      };
      const readByTls = (): boolean => tlsReaders.has(this);
      const link = new Link({ stream: this, owner, phantom, readByTls }, target);
      Object.defineProperty(this, LINK, { value: link });
    }
  }
  // Programs tell handles apart by this name.
  Object.defineProperty(Remote, 'name', { value: kind });
  for (const methods of [common, own])
    Object.defineProperties(Remote.prototype, Object.getOwnPropertyDescriptors(methods));
  Object.defineProperties(Remote.prototype, overNative(node.JSStream.prototype, node.writes));
  // `instanceof TCP` must hold (resetAndDestroy asks), while JSStream's own natives stay within reach.
  Object.setPrototypeOf(
    Remote.prototype,
    Object.create(native.prototype as object, inherited(node.JSStream.prototype)) as object,
  );
  return Remote as unknown as HandleClass;
}

/**
 * JSStream's members, to stand between ours and the native class's. Data-like ones become accessors: Node 20 aborts the
 * process when the native data property `onread` is copied as it is.
 */
function inherited(prototype: object): PropertyDescriptorMap {
  const members: PropertyDescriptorMap = {};
  for (const [key, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
    const keeps =
      !('value' in descriptor) || (key !== 'onread' && typeof descriptor.value === 'function');
    members[key] = keeps ? descriptor : passedOn(prototype, key);
  }
  return members;
}

function passedOn(prototype: object, key: string): PropertyDescriptor {
  return {
    configurable: true,
    get(this: object): unknown {
      return Reflect.get(prototype, key, this);
    },
    set(this: object, value: unknown): void {
      Reflect.set(prototype, key, value, this);
    },
  };
}

type NativeMethod = (this: RemoteHandle, ...args: unknown[]) => unknown;

function overNative(prototype: object, writes: WriteState): PropertyDescriptorMap {
  const nativeMethod = (name: string): NativeMethod => Reflect.get(prototype, name) as NativeMethod;
  const methods: PropertyDescriptorMap = {};
  for (const name of Object.keys(WRITES))
    methods[name] = {
      configurable: true,
      writable: true,
      value(this: RemoteHandle, request: object | null, data: unknown, all?: unknown): unknown {
        return this[LINK].write(new OwnWrite(writes, request), bytesOf(name, data, all));
      },
    };
  methods['bytesWritten'] = {
    configurable: true,
    get(this: RemoteHandle): number {
      return Number(Reflect.get(prototype, 'bytesWritten', this)) + this[LINK].ownBytesWritten;
    },
  };
  const useUserBuffer = nativeMethod('useUserBuffer');
  methods['useUserBuffer'] = {
    configurable: true,
    writable: true,
    value(this: RemoteHandle, buffer: Uint8Array): void {
      const { reader, around } = this[LINK];
      reader.userBuffer = lengthOfNext(around.owner(), buffer);
      Reflect.apply(useUserBuffer, this, [buffer]);
    },
  };
  return methods;
}

/** A program may give a new buffer after each read; only a property of the socket, which has the first one now, tells of it. */
function lengthOfNext(owner: Owner | undefined, first: Uint8Array): () => number {
  if (owner === undefined) return () => first.length;
  const key = Object.getOwnPropertySymbols(owner).find((one) => Reflect.get(owner, one) === first);
  if (key === undefined) return () => first.length;
  return () => (Reflect.get(owner, key) as Uint8Array).length;
}

/** Handles whose side was decided by us. */
const decided = new WeakSet<object>();

/** A handle that takes another one's place although it is of another side. */
export function decidedHandle<H extends object>(handle: H): H {
  decided.add(handle);
  return handle;
}

/** `next`, or a remote handle in its place when the one before it was remote. */
export function sameSide(
  node: Internals,
  handles: HandleClasses,
  before: SocketInside['_handle'],
  next: object,
): object {
  const link = linkOf(before) ?? linkOf(before?._parent);
  if (link === undefined || !(next instanceof node.TCP) || linkOf(next) !== undefined) return next;
  if (decided.has(next)) return next;
  next.close();
  return new handles.RemoteTcp(link.target);
}

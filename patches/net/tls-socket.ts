/**
 * TLS over remote sockets. TLS ends here, so the far side carries encrypted bytes only. Node's TLSSocket makes its own
 * handle before it connects; this gives it a remote one from the start, or exchanges it when the route is known.
 */
import type net from 'node:net';
import { decidedHandle, sameSide, setTlsReader } from './handle.ts';
import type { Installation } from './installation.ts';
import { type Internals, inside, type SocketInside } from './internals.ts';
import { linkOf, type Owner } from './link.ts';

type Handle = NonNullable<SocketInside['_handle']>;
type WrapHandle = (wrap: object | null, handle: object | undefined, ...rest: unknown[]) => object;

/** True for the handle of a TLS socket that makes its own connection, false for one laid over another socket. */
export function isOwnTlsWrap(handle: Handle): handle is Handle & { _parent: object } {
  return (
    handle._parent !== undefined &&
    (handle._parentWrap === null || handle._parentWrap === undefined)
  );
}

/** Puts a TLS socket that has not connected yet on another handle. */
export function rewrapTls(node: Internals, socket: net.Socket, handle: object): void {
  const internal = inside(socket);
  Reflect.set(handle, node.owner, socket);
  const reinitialize = internal[node.reinitialize] as (handle: object) => void;
  Reflect.apply(reinitialize, socket, [decidedHandle(handle)]);
  internal.ssl = internal._handle;
}

export function installTls({ context, node, handles, routes }: Installation): void {
  const { TLSSocket } = process.getBuiltinModule('node:tls');
  const prototype = TLSSocket.prototype as unknown as {
    _wrapHandle: WrapHandle;
    _tlsOptions: { pipe?: unknown };
  } & Record<symbol, (handle: object) => void>;

  const wrapHandle = prototype._wrapHandle;
  context.replace(
    prototype,
    '_wrapHandle',
    function _wrapHandle(this: typeof prototype, wrap, handle, ...rest): object {
      const target = wrap === null && handle === undefined ? routes.current() : undefined;
      let used = handle;
      if (target !== undefined) {
        used = new (this._tlsOptions.pipe ? handles.RemotePipe : handles.RemoteTcp)(target);
        Reflect.set(used, node.owner, this);
      }
      if (linkOf(used) !== undefined && used !== undefined)
        setTlsReader(used, this as unknown as Owner);
      return Reflect.apply(wrapHandle, this, [wrap, used, ...rest]);
    },
  );

  const reinitialize = prototype[node.reinitialize];
  if (reinitialize === undefined) return;
  context.replace(prototype, node.reinitialize, function (this: net.Socket, handle: object): void {
    const next = sameSide(node, handles, inside(this)._handle, handle);
    // The original leaves this to whoever made the handle, and only for its own.
    if (linkOf(next) !== undefined) Reflect.set(next, node.owner, this);
    Reflect.apply(reinitialize, this, [next]);
  });
}

/**
 * Node's own parts under `net.Socket`, found on living objects: the classes of its handles and the private symbols that
 * tie a handle to its socket. No other file of this patch knows where they come from.
 */
import net from 'node:net';
import { Duplex } from 'node:stream';
import { hideActivity, hideDial } from '../../src/base/activity.ts';
import { ElsewhereError } from '../../src/base/errors.ts';
import { nodeBinding } from '../../src/base/node-binding.ts';
import { findWriteState, type WriteState } from './own-write.ts';

/** A pending request of Node's, as its own code made it; `oncomplete` may have been taken away meanwhile. */
export interface ConnectRequest {
  localAddress?: string;
  localPort?: number | string;
  oncomplete?:
    | ((
        status: number,
        handle: object,
        request: object,
        readable: boolean,
        writable: boolean,
      ) => void)
    | undefined;
}

/** What Node's JSStream offers: a native stream whose operations are carried out by JavaScript. */
export interface NativeStream {
  readBuffer(bytes: Uint8Array): void;
  emitEOF(): void;
  finishWrite(request: object, status: number): void;
  finishShutdown(request: object, status: number): void;
  useUserBuffer(buffer: Uint8Array): void;
}

export interface NativeHandle {
  close(done?: () => void): void;
}

type HandleClass = new (type: number) => NativeHandle;

export interface Internals {
  readonly JSStream: new () => NativeStream;
  readonly TCP: HandleClass;
  readonly Pipe: HandleClass;
  /** `socket[reinitialize](handle)` gives a socket another handle. */
  readonly reinitialize: symbol;
  /** `handle[owner]` is the socket above it. */
  readonly owner: symbol;
  /** Marks the arguments of `connect` that were normalised already. */
  readonly normalized: symbol;
  readonly writes: WriteState;
}

/** The members of a socket that Node's own code and ours share. */
export interface SocketInside {
  _handle: (object & { _parent?: object; _parentWrap?: object | null }) | null;
  _parent?: net.Socket | null;
  _peername: object | null;
  _sockname: object | null;
  ssl?: object | null;
  [symbol: symbol]: unknown;
}

export function inside(socket: net.Socket): SocketInside {
  return socket as unknown as SocketInside;
}

const NetWithNormalize = net as unknown as {
  _normalizeArgs(args: unknown[]): [Record<PropertyKey, unknown>, unknown];
};

/** The arguments of `connect` in the one form that Node's own code passes on: [options, callback]. */
export function normalizeArgs(args: unknown[]): [Record<PropertyKey, unknown>, unknown] {
  return NetWithNormalize._normalizeArgs(args);
}

/** Node's own `connect`, as long as nothing is installed. */
export function ownConnect(): (...args: never[]) => unknown {
  return net.Socket.prototype.connect as (...args: never[]) => unknown;
}

/** `connect` must be Node's own, from before any substitution. */
export function reachInternals(connect: (...args: never[]) => unknown): Internals {
  // An address rather than a name: Node would compile its pattern of IPv6 addresses, which takes 3 ms.
  const tcp = unconnectedHandle(connect, { host: '127.0.0.1', port: 1 });
  const pipe = unconnectedHandle(connect, { path: '/nonexistent/x' });
  return {
    JSStream: findJSStream(),
    TCP: tcp.constructor as HandleClass,
    Pipe: pipe.constructor as HandleClass,
    reinitialize: symbolOf(net.Socket.prototype, 'kReinitializeHandle'),
    owner: symbolOf(tcp, 'owner_symbol'),
    normalized: symbolOf(normalizeArgs([]), 'normalizedArgs'),
    writes: writeState(),
  };
}

/** Node creates the handle at the start of `connect`, long before it does anything with it. */
function unconnectedHandle(
  connect: (...args: never[]) => unknown,
  options: { readonly path: string } | { readonly host: string; readonly port: number },
): object {
  const socket = new net.Socket();
  socket.on('error', () => undefined);
  hideDial(options);
  Reflect.apply(connect, socket, [options]);
  const handle = inside(socket)._handle;
  hideActivity(socket, handle);
  socket.destroy();
  if (handle === null) throw unknownNode('the handle of a socket');
  return handle;
}

function writeState(): WriteState {
  const found = findWriteState();
  if (found === undefined) throw unknownNode('state of writes');
  return found;
}

function findJSStream(): Internals['JSStream'] {
  return nodeBinding<{ JSStream: Internals['JSStream'] }>('js_stream')?.JSStream ?? jsStreamOfTls();
}

/** A TLS socket over a JavaScript stream has a JSStream at its bottom. Slower: it reads all root certificates (24: 17 ms). */
function jsStreamOfTls(): Internals['JSStream'] {
  const nothing = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
  const { TLSSocket } = process.getBuiltinModule('node:tls');
  const socket = new TLSSocket(nothing);
  socket.on('error', () => undefined);
  const wrap = inside(socket)._handle?._parentWrap as { _handle?: object } | null | undefined;
  const found = wrap?._handle?.constructor;
  socket.destroy();
  if (found === undefined) throw unknownNode('JSStream');
  return found as Internals['JSStream'];
}

/** Whether a socket will set TCP_NODELAY once it is connected. */
export function wantsNoDelay(socket: object | undefined): boolean {
  if (socket === undefined) return false;
  noDelay ??= Object.getOwnPropertySymbols(socket).find(
    ({ description }) => description === 'kSetNoDelay',
  );
  return noDelay !== undefined && Reflect.get(socket, noDelay) === true;
}

let noDelay: symbol | undefined;

function symbolOf(object: object, description: string): symbol {
  for (
    let at: object | null = object;
    at !== null;
    at = Object.getPrototypeOf(at) as object | null
  ) {
    const found = Object.getOwnPropertySymbols(at).find(
      (symbol) => symbol.description === description,
    );
    if (found !== undefined) return found;
  }
  throw unknownNode(description);
}

function unknownNode(what: string): ElsewhereError {
  return new ElsewhereError(
    'ERR_ELSEWHERE_UNSUPPORTED',
    `this Node (${process.version}) has no ${what} where it is expected: sockets cannot be made remote; use another Node version`,
  );
}

/**
 * The dispatcher of client connections. It sits on `net.Socket.prototype.connect`, since everything comes through there:
 * captured and ESM-imported `net.connect`, subclasses, http, https, undici, database drivers.
 */
import net from 'node:net';
import { ElsewhereError } from '../../src/base/errors.ts';
import { errnoOf } from '../../src/base/system-errors.ts';
import { type SocketPlace, socketPlace } from './far-path.ts';
import { sameSide } from './handle.ts';
import type { Installation } from './installation.ts';
import { type Internals, inside, normalizeArgs, type SocketInside } from './internals.ts';
import { linkOf, type NetTarget } from './link.ts';
import { roundTripAllowance } from './round-trip.ts';
import { isOwnTlsWrap, rewrapTls } from './tls-socket.ts';

type Options = Record<PropertyKey, unknown>;
type Connect = (this: net.Socket, ...args: unknown[]) => net.Socket;

export function installConnect(installation: Installation): void {
  const { context, node, routes } = installation;
  const prototype = net.Socket.prototype as unknown as { connect: Connect };
  const original = prototype.connect;

  context.replace(
    prototype,
    'connect',
    function connect(this: net.Socket, ...args: unknown[]): net.Socket {
      const first = args[0] as { [symbol: symbol]: unknown } | undefined;
      const normalized =
        Array.isArray(first) && first[node.normalized]
          ? (first as unknown as [Options, unknown])
          : normalizeArgs(args);
      const [options] = normalized;
      const { target: asked, denied, run } = routes.of(options);
      const place = asked === undefined ? undefined : run(() => placeOf(context, options['path']));
      const target = place?.side === 'local' ? undefined : asked;
      if (!refusedByNode(this, options)) prepare(installation, this, options, target);
      setPlace(this, place);
      if (target !== undefined) normalized[0] = withPatience(options, target);
      if (denied !== undefined)
        normalized[0] = { ...normalized[0], lookup: refusingLookup(options, denied) };
      run(() => Reflect.apply(original, this, [normalized]));
      if (place?.side === 'denied') giveCause(this.errored, place.cause);
      return this;
    },
  );

  keepRemote(installation);
}

/** Node does nothing, or throws, before it looks at the handle. */
function refusedByNode(socket: net.Socket, options: Options): boolean {
  return (
    inside(socket)._parent?.connecting === true ||
    (options['port'] === undefined && options['path'] == null)
  );
}

/** Gives the socket the handle that Node would create next, of the right side. */
function prepare(
  installation: Installation,
  socket: net.Socket,
  options: Options,
  target: NetTarget | undefined,
): void {
  const { node, handles } = installation;
  const internal = inside(socket);
  // As the original is about to do.
  if (socket.destroyed) forget(internal);
  const handle = internal._handle;
  const Remote = options['path'] ? handles.RemotePipe : handles.RemoteTcp;
  if (handle === null) {
    if (target !== undefined) setHandle(node, socket, new Remote(target));
  } else if (isOwnTlsWrap(handle)) {
    if (linkOf(handle._parent)?.target !== target)
      rewrapTls(
        node,
        socket,
        target === undefined ? localHandle(node, options) : new Remote(target),
      );
  } else if (target !== undefined && linkOf(handle) === undefined) {
    refuseLocalHandle(internal);
  }
}

function placeOf(context: Installation['context'], path: unknown): SocketPlace | undefined {
  return typeof path === 'string' && path !== ''
    ? socketPlace(context, path, 'connect')
    : undefined;
}

function setPlace(socket: net.Socket, place: SocketPlace | undefined): void {
  const { _handle: handle } = inside(socket);
  const link = linkOf(handle) ?? linkOf(handle?._parent);
  if (link !== undefined && place !== undefined) link.place = place;
}

/** Node makes the error of a path that the scope denies; the rule is its cause. */
function giveCause(error: Error | null, cause: unknown): void {
  if (error !== null)
    Object.defineProperty(error, 'cause', { value: cause, writable: true, configurable: true });
}

function localHandle(node: Internals, options: Options): object {
  return options['path'] ? new node.Pipe(0) : new node.TCP(0);
}

function forget(socket: SocketInside): void {
  socket._handle = null;
  socket._peername = null;
  socket._sockname = null;
}

function setHandle(node: Internals, socket: net.Socket, handle: object): void {
  const reinitialize = Reflect.get(net.Socket.prototype, node.reinitialize) as (
    handle: object,
  ) => void;
  Reflect.apply(reinitialize, socket, [handle]);
}

/** Node 26: a socket that adopted a `net.BoundSocket` is bound on this machine and would connect from it. */
function refuseLocalHandle(socket: SocketInside): void {
  const bound = Object.getOwnPropertySymbols(socket).find(
    (symbol) => symbol.description === 'kBoundSource',
  );
  if (bound === undefined || socket[bound] !== true) return;
  throw new ElsewhereError(
    'ERR_ELSEWHERE_UNSUPPORTED',
    'a net.BoundSocket is bound on this machine and cannot connect from the far side; use localAddress and localPort instead',
  );
}

/** A name that is denied is not even asked for. An address is refused where it would be dialled. */
function refusingLookup({ port }: Options, denied: string) {
  return (host: string, _options: unknown, done: (error: Error) => void): void => {
    const cause = new ElsewhereError('ERR_ELSEWHERE_DENIED', denied);
    const error = new Error(`connect EACCES ${host}:${String(port)}`, { cause });
    const about = { errno: errnoOf('EACCES'), code: 'EACCES', syscall: 'connect', address: host };
    process.nextTick(done, Object.assign(error, about, { port: Number(port) }));
  };
}

/**
 * Node's timer for each attempt of happy eyeballs runs here, but the attempt happens behind the link: at a round trip of
 * 300 ms every healthy first address would fail with ETIMEDOUT.
 */
function withPatience(options: Options, target: NetTarget): Options {
  if (options['path'] || options['autoSelectFamily'] === false) return options;
  const given = options['autoSelectFamilyAttemptTimeout'];
  // Anything else is for Node to refuse.
  if (given !== undefined && given !== null && !(Number.isInteger(given) && (given as number) >= 1))
    return options;
  const timeout =
    (given as number | null | undefined) ?? net.getDefaultAutoSelectFamilyAttemptTimeout();
  return {
    ...options,
    autoSelectFamilyAttemptTimeout: timeout + roundTripAllowance(target.connection),
  };
}

/** Happy eyeballs gives its second and later attempts a new local handle each. */
function keepRemote({ context, node, handles }: Installation): void {
  const prototype = net.Socket.prototype as unknown as Record<symbol, (handle: object) => void>;
  const original = prototype[node.reinitialize];
  if (original === undefined) return;
  context.replace(
    prototype,
    node.reinitialize,
    function reinitialize(this: net.Socket, handle: object): void {
      Reflect.apply(original, this, [sameSide(node, handles, inside(this)._handle, handle)]);
    },
  );
}

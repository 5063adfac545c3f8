/** The near half of the server patch: `net.Server` of a scope gets a handle whose port is on the far side. */
import net from 'node:net';
import { ElsewhereError } from '../../../src/base/errors.ts';
import type { LocalContext } from '../../../src/patch.ts';
import { refusalCode } from '../failures.ts';
import { farPath, type SocketPlace, socketPlace } from '../far-path.ts';
import { nodeParts, type Parts } from '../installation.ts';
import { normalizeArgs } from '../internals.ts';
import type { Listening, Place, Refused, ServerCalls, ServerStreams } from './api.ts';
import { isSocket } from './descriptor.ts';
import { type MakeServerHandle, serverHandles } from './handle.ts';
import type { ServerTarget } from './slots.ts';

type ServerContext = LocalContext<ServerCalls, ServerStreams>;
type Listen = (this: net.Server, ...args: unknown[]) => net.Server;
type Listen2 = (
  this: ServerInside,
  address: string | null,
  port: number,
  addressType: number | null,
  backlog: number,
  fd: number | undefined,
  flags: number | undefined,
) => void;
/** The event and its arguments. */
type Emit = (this: net.Server, ...args: unknown[]) => boolean;

interface ServerInside extends net.Server {
  _handle: object | null;
}

/** Node's flags of `listen`. */
const IPV6_ONLY = 1;
const REUSE_PORT = 2;

/** Where a server listens, decided when `listen` is called. */
const targets = new WeakMap<net.Server, ServerTarget>();
/** Why a server's port was refused or is gone, until the error that Node makes of it is emitted. */
const causes = new WeakMap<net.Server, Error>();

export function serverLocal(context: ServerContext): void {
  const parts = nodeParts();
  installListen(context, parts);
  installEmit(context);
}

function installListen(context: ServerContext, parts: Parts): void {
  const prototype = net.Server.prototype as unknown as { listen: Listen; _listen2: Listen2 };
  const { listen, _listen2 } = prototype;
  const handles = serverHandles(parts);

  context.replace(prototype, 'listen', function (this: net.Server, ...args: unknown[]): net.Server {
    const target = context.target();
    targets.delete(this);
    if (target !== undefined && !isLocalHandle(args, parts)) {
      refuseCluster();
      targets.set(this, target);
    }
    return Reflect.apply(listen, this, args);
  });

  context.replace(prototype, '_listen2', function (this: ServerInside, ...args): void {
    const target = targets.get(this);
    // A handle that is there already is listened on where it is.
    if (target === undefined || this._handle !== null || args[4] !== undefined)
      return Reflect.apply(_listen2, this, args);
    const place =
      args[2] === -1
        ? target.scope.run(() => socketPlace(context, String(args[0]), 'listen'))
        : undefined;
    if (place?.side !== 'local')
      return Reflect.apply(_listen2, this, listenThere(this, target, handles, args, place));
    targets.delete(this);
    Reflect.apply(_listen2, this, args);
  });
}

/** The arguments for Node's own `_listen2`, whose handle is there now. */
function listenThere(
  server: ServerInside,
  target: ServerTarget,
  handles: MakeServerHandle,
  args: Parameters<Listen2>,
  socket: Exclude<SocketPlace, { side: 'local' }> | undefined,
): Parameters<Listen2> {
  const [address, port, addressType, backlog, , flags = 0] = args;
  const isPipe = addressType === -1;
  const { umask } = target.scope;
  const place: Place = {
    backlog: backlog || 511,
    ipv6Only: (flags & IPV6_ONLY) !== 0,
    reusePort: (flags & REUSE_PORT) !== 0,
    ...(socket?.side === 'far' ? { path: farPath(target, socket.path) } : { port }),
    ...(isPipe && umask !== undefined ? { umask } : {}),
    ...(isPipe || !address ? {} : { address }),
  };
  const answer =
    socket?.side === 'denied' ? refuse(server, socket.cause) : ask(server, target, place);
  server._handle = handles(target, isPipe ? 'Pipe' : 'TCP', answer, {
    lost: (error) => lose(server, error),
  });
  if (address) return args;
  const found = ('code' in answer ? answer.address : answer.address?.address) ?? '::';
  return [found, port, found.includes(':') ? 6 : 4, backlog, undefined, flags];
}

/** The scope's own rule forbids it. */
function refuse(server: net.Server, cause: unknown): Refused {
  causes.set(server, cause as Error);
  return { code: 'EACCES' };
}

function ask(server: net.Server, target: ServerTarget, place: Place): Listening | Refused {
  let answer: Listening | Refused;
  try {
    answer = target.callSync('listen', place);
  } catch (error) {
    causes.set(server, error as Error);
    return { code: refusalCode(error as Error) };
  }
  if ('denied' in answer && answer.denied !== undefined)
    causes.set(server, new ElsewhereError('ERR_ELSEWHERE_DENIED', answer.denied));
  return answer;
}

/** A connection that was closed on purpose closes its servers; one that was lost is an error that must be heard. */
function lose(server: net.Server, error: Error): void {
  server.close();
  if ((error as { code?: unknown }).code === 'ERR_ELSEWHERE_CLOSED') return;
  const told = Object.assign(new Error('accept ECONNRESET', { cause: error }), {
    code: 'ECONNRESET',
    syscall: 'accept',
  });
  server.emit('error', told);
}

/** Descriptors and handles of this process stay what they are, so a scope cannot make a far server of them. */
function isLocalHandle(args: unknown[], parts: Parts): boolean {
  const [given] = normalizeArgs(args) as [Record<string, unknown>, unknown];
  const options = (given['_handle'] ?? given['handle'] ?? given) as { fd?: unknown };
  if (options instanceof parts.node.TCP) return true;
  if (typeof options.fd !== 'number' || options.fd < 0) return false;
  if (isSocket(options.fd)) throw unsupported('listen on a descriptor of this process');
  return true;
}

function refuseCluster(): void {
  const cluster = process.getBuiltinModule('node:cluster') as unknown as { isWorker: boolean };
  if (cluster.isWorker) throw unsupported('share a port between the workers of a cluster');
}

function unsupported(what: string): ElsewhereError {
  return new ElsewhereError(
    'ERR_ELSEWHERE_UNSUPPORTED',
    `a server of the far side cannot ${what}: call listen inside withLocal(), or keep servers here with { except: ['server'] }`,
  );
}

/**
 * Node 20 and 22 lose the async context of an http server's 'connect' and 'upgrade' events: what they open would be
 * local. And this is where the error of a refused port can be given its cause.
 */
function installEmit(context: ServerContext): void {
  const original = net.Server.prototype.emit as Emit;
  const value: Emit = function emit(this: net.Server, ...args) {
    const scope = targets.get(this)?.scope;
    if (args[0] === 'error') giveCause(this, args[1]);
    if (scope === undefined || scope.isDefault || context.scope() !== undefined)
      return Reflect.apply(original, this, args);
    return scope.run(() => Reflect.apply(original, this, args));
  };
  context.redefine(net.Server.prototype, 'emit', {
    value,
    writable: true,
    enumerable: false,
    configurable: true,
  });
}

function giveCause(server: net.Server, error: unknown): void {
  const cause = causes.get(server);
  if (cause === undefined || !(error instanceof Error)) return;
  causes.delete(server);
  Object.defineProperty(error, 'cause', { value: cause, writable: true, configurable: true });
}

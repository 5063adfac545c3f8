/** Refuses what cannot be done with a remote socket and would crash or hang Node: handing it to another process. */
import net from 'node:net';
import { ElsewhereError } from '../../src/base/errors.ts';
import { nodeBinding } from '../../src/base/node-binding.ts';
import { isRemoteHandle } from '../../src/base/remote-handle.ts';
import type { Installation } from './installation.ts';
import { type Internals, inside } from './internals.ts';
import { linkOf } from './link.ts';
import { NO_DESCRIPTOR } from './server/handle.ts';

type Method = (...args: unknown[]) => unknown;

export function installGuards(installation: Installation): void {
  guardSend(installation);
  guardSpawn(installation);
  guardTransfer(installation);
}

/** `child.send(message, socket)` would hang: the native half finds no descriptor to send. */
function guardSend({ context, node }: Installation): void {
  const prototype = node.Pipe.prototype as { writeUtf8String: Method };
  const original = prototype.writeUtf8String;
  const value = function writeUtf8String(this: object, ...args: unknown[]): unknown {
    if (args.length > 2 && isRemote(args[2])) {
      restoreOwner(args[2] as object, node);
      throw unsupported('sent to a child process');
    }
    return Reflect.apply(original, this, args);
  };
  // Inherited by the Pipe class; defined on it so that other streams pay nothing.
  context.redefine(prototype, 'writeUtf8String', {
    value,
    writable: true,
    enumerable: false,
    configurable: true,
  });
}

function isRemote(handle: unknown): boolean {
  return linkOf(handle) !== undefined || isRemoteHandle(handle);
}

/** Node has taken the handle from its socket, and what reads from it, before it writes the message. */
function restoreOwner(handle: object, node: Internals): void {
  const socket = Reflect.get(handle, node.owner) as net.Socket | undefined;
  if (!(socket instanceof net.Socket) || inside(socket)._handle !== null) return;
  Reflect.apply(inside(socket)[node.reinitialize] as Method, socket, [handle]);
}

/** `spawn(…, { stdio: [socket] })` would abort the process: the native half takes the handle for one of its own. */
function guardSpawn({ context }: Installation): void {
  const prototype = nodeBinding<{ Process: { prototype: { spawn: Method } } }>('process_wrap')
    ?.Process.prototype;
  if (prototype === undefined) return;
  const original = prototype.spawn;
  context.replace(prototype, 'spawn', function spawn(this: object, ...args: unknown[]): unknown {
    if (stdioOf(args)?.some(({ handle, fd }) => isRemote(handle) || fd === NO_DESCRIPTOR)) {
      throw unsupported('the stdio of a child process');
    }
    return Reflect.apply(original, this, args);
  });
}

/** Node 20 to 24.12 take one object of options, later ones (file, args, cwd, environment, stdio, …). */
function stdioOf(
  args: readonly unknown[],
): readonly { handle?: unknown; fd?: unknown }[] | undefined {
  const first = args[0];
  return (
    typeof first === 'object' && first !== null ? (first as { stdio?: unknown }).stdio : args[4]
  ) as readonly { handle?: unknown; fd?: unknown }[] | undefined;
}

/** Node 26 moves sockets and servers to workers by their handles: it would take a remote one from its owner, and then fail. */
function guardTransfer({ context }: Installation): void {
  for (const prototype of [net.Socket.prototype, net.Server.prototype] as unknown[] as Record<
    symbol,
    Method
  >[]) {
    const list = Object.getOwnPropertySymbols(prototype).find(
      ({ description }) => description === 'messaging_transfer_list_symbol',
    );
    const original = list === undefined ? undefined : prototype[list];
    if (list === undefined || original === undefined) continue;
    context.replace(prototype, list, function transferList(this: object, ...args: unknown[]) {
      if (isRemote(Reflect.get(this, '_handle'))) throw unsupported('moved to another thread');
      return Reflect.apply(original, this, args);
    });
  }
}

function unsupported(what: string): ElsewhereError {
  return new ElsewhereError(
    'ERR_ELSEWHERE_UNSUPPORTED',
    `a socket or server of the far side cannot be ${what}: pipe its data instead, or open it inside withLocal()`,
  );
}

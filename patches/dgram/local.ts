/**
 * The near half of the dgram patch: a datagram socket made in a scope gets a handle of the far side. Node tells of each
 * new socket on a diagnostics channel, inside its constructor: so captured classes and functions come through here too.
 */
import type dgram from 'node:dgram';
import diagnostics from 'node:diagnostics_channel';
import type { LocalContext } from '../../src/patch.ts';
import type { DgramCalls, DgramStreams, SocketType } from './api.ts';
import { type NativeUdp, stateOf } from './binding.ts';
import { remoteUdp } from './handle.ts';

const CHANNEL = 'udp.socket';

export function dgramLocal(context: LocalContext<DgramCalls, DgramStreams>): void {
  const made = (message: unknown): void => {
    const { target } = context.route({ protocol: 'udp', name: '*' });
    if (target === undefined) return;
    const { socket } = message as { socket: dgram.Socket & { type: SocketType } };
    const state = stateOf(socket);
    // Closed already: its signal was aborted.
    if (state === undefined || state.handle === null) return;
    const idle = state.handle as NativeUdp;
    const handle = remoteUdp(target, socket.type, idle);
    for (const symbol of Object.getOwnPropertySymbols(idle))
      if (symbol.description === 'owner_symbol') Reflect.set(handle, symbol, socket);
    state.handle = handle;
  };
  diagnostics.subscribe(CHANNEL, made);
  context.onUninstall(() => void diagnostics.unsubscribe(CHANNEL, made));
}

/** A capnweb server over ws. Tells its port. */
import type { AddressInfo } from 'node:net';
import { newWebSocketRpcSession, RpcTarget } from 'capnweb';
import { WebSocket, WebSocketServer } from 'ws';

export interface CapnwebApi {
  ping(): number;
}

class Api extends RpcTarget implements CapnwebApi {
  ping(): number {
    return 1;
  }
}

// Node 20 has no WebSocket of its own, of which capnweb wants the constants.
Object.assign(globalThis, { WebSocket: globalThis.WebSocket ?? WebSocket });

const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
server.on('connection', (socket) =>
  newWebSocketRpcSession(socket as unknown as globalThis.WebSocket, new Api()),
);
server.on('listening', () => process.send?.((server.address() as AddressInfo).port));
process.once('disconnect', () => process.exit());

/** A birpc server over ws. Tells its port. */
import type { AddressInfo } from 'node:net';
import { createBirpc } from 'birpc';
import { WebSocketServer } from 'ws';

export interface BirpcApi {
  ping(): number;
}

const api: BirpcApi = { ping: () => 1 };
const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
server.on('connection', (socket) =>
  createBirpc<Record<string, never>, BirpcApi>(api, {
    post: (text) => socket.send(text),
    on: (receive) => void socket.on('message', (data) => receive(String(data))),
    serialize: JSON.stringify,
    deserialize: JSON.parse,
  }),
);
server.on('listening', () => process.send?.((server.address() as AddressInfo).port));
process.once('disconnect', () => process.exit());

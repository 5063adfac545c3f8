/** A listening port of this machine, closed with all that came to it. */
import type { AddressInfo, Server, Socket } from 'node:net';
import { runDetached } from '../base/context.ts';
import { ElsewhereError } from '../base/errors.ts';
import { formatPlace, type Place } from './place.ts';

export class Listening {
  readonly place: Place;
  readonly #server: Server;
  readonly #sockets: ReadonlySet<Socket>;

  private constructor(server: Server, place: Place, sockets: ReadonlySet<Socket>) {
    this.#server = server;
    this.#sockets = sockets;
    const address = server.address() as AddressInfo | string;
    this.place =
      typeof address === 'string' ? place : { host: address.address, port: address.port };
  }

  /** Rejects with ERR_ELSEWHERE_CONNECT, Node's own error as cause. */
  static open(server: Server, place: Place): Promise<Listening> {
    const sockets = new Set<Socket>();
    server.on('connection', (socket) => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
    });
    return new Promise((resolve, reject) => {
      server.once('error', (error) => {
        reject(
          new ElsewhereError(
            'ERR_ELSEWHERE_CONNECT',
            `cannot listen on ${formatPlace(place)}: ${error.message}`,
            { cause: error },
          ),
        );
      });
      runDetached(() =>
        server.listen(place, () => {
          server.removeAllListeners('error');
          // It could not accept one connection (no descriptors left); the next may do better.
          server.on('error', () => undefined);
          resolve(new Listening(server, place, sockets));
        }),
      );
    });
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      for (const socket of this.#sockets) socket.destroy();
    });
  }
}

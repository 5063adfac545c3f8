/** Sockets of the far side, for the proxy's connections: names are resolved over there. */
import type { Socket as Datagrams } from 'node:dgram';
import type { NetConnectOpts, Socket } from 'node:net';
import { originals } from '../base/originals.ts';
import { bindScope, type Remote, withRemote } from '../scope/with-remote.ts';
import { Pouring } from '../service/pouring.ts';
import type { Place } from './place.ts';

/** Bulk passes in few steps. */
export const HIGH_WATER: number = 256 * 1024;

export class FarSide {
  readonly #inScope: <R>(fn: () => R) => R;

  constructor(conn: Remote) {
    this.#inScope = withRemote(conn, { patches: ['net', 'dgram'] }, () =>
      bindScope(<R>(fn: () => R) => fn()),
    ) as <R>(fn: () => R) => R;
  }

  /** Everything that `fn` opens is the far side's. */
  run<R>(fn: () => R): R {
    return this.#inScope(fn);
  }

  /** Nothing is read from it before it is spliced with another. */
  connect(place: Place): Socket {
    const pouring = new Pouring();
    const { onread } = pouring;
    const options = { ...place, onread, allowHalfOpen: true, noDelay: true };
    return pouring.of(this.run(() => originals.net.connect(options as NetConnectOpts)));
  }

  datagrams(family: 'udp4' | 'udp6'): Datagrams {
    return this.run(() => originals.dgram.createSocket(family));
  }

  /** The first address of a name. Rejects as `dns.lookup` does. */
  lookup(host: string): Promise<{ address: string; family: number }> {
    return new Promise((resolve, reject) => {
      this.run(() =>
        originals.dns.lookup(host, (error, address, family) => {
          if (error === null) resolve({ address, family });
          else reject(error);
        }),
      );
    });
  }
}

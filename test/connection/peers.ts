/** Two connected peers over the transport in memory, with what each answers to. */
import { MethodTable } from '../../src/connection/methods.ts';
import { Peer } from '../../src/connection/peer.ts';
import { memoryPair } from '../../src/transport/memory.ts';

export interface Peers {
  readonly near: Peer;
  readonly far: Peer;
  readonly farMethods: MethodTable;
  readonly closed: Error[];
}

export function connectedPeers(): Peers {
  const [nearTransport, farTransport] = memoryPair();
  const farMethods = new MethodTable();
  const closed: Error[] = [];
  const make = (side: 'near' | 'far', methods: MethodTable): Peer => {
    const peer: Peer = new Peer(side, methods, {
      laneDown: (_lane, error) => {
        closed.push(error ?? new Error('closed'));
        peer.lose(error ?? new Error('closed'));
      },
      goAway: () => undefined,
    });
    return peer;
  };
  const near = make('near', new MethodTable());
  const far = make('far', farMethods);
  near.main.attach(nearTransport, 0);
  far.main.attach(farTransport, 0);
  return { near, far, farMethods, closed };
}

/** Two peers that are linked by hand, again and again; `faults` is what they found wrong with each other. */
export function disconnectedPeers(): { near: Peer; far: Peer; faults: Error[] } {
  const faults: Error[] = [];
  const make = (side: 'near' | 'far'): Peer =>
    new Peer(side, new MethodTable(), {
      laneDown: (lane) => {
        if (lane.fault !== undefined) faults.push(lane.fault);
      },
      goAway: () => undefined,
    });
  return { near: make('near'), far: make('far'), faults };
}

/** A call as a promise. */
export function call(peer: Peer, method: string, ...args: unknown[]): Promise<unknown> {
  return new Promise((resolve, reject) => {
    peer.request(method, args, (error, value) => (error === null ? resolve(value) : reject(error)));
  });
}

/** A capnweb server over ws. Tells its port. */
import type { AddressInfo } from 'node:net';
import { newWebSocketRpcSession, RpcTarget } from 'capnweb';
import { WebSocket, WebSocketServer } from 'ws';

export interface CapnwebApi {
  ping(): number;
  echo(bytes: Uint8Array): Uint8Array;
  add(a: number, b: number): number;
  callback(call: (x: number) => number | Promise<number>, x: number): Promise<number>;
  records(n: number): { id: number; name: string }[];
  readonly tree: { branch: { leaf: { size(x: number): number } } };
}

class Leaf extends RpcTarget {
  size(x: number): number {
    return x + 1;
  }
}
class Branch extends RpcTarget {
  readonly #leaf = new Leaf();
  get leaf(): Leaf {
    return this.#leaf;
  }
}
class Tree extends RpcTarget {
  readonly #branch = new Branch();
  get branch(): Branch {
    return this.#branch;
  }
}

class Api extends RpcTarget implements CapnwebApi {
  readonly #tree = new Tree();
  get tree(): Tree {
    return this.#tree;
  }
  ping(): number {
    return 1;
  }
  echo(bytes: Uint8Array): Uint8Array {
    return bytes;
  }
  add(a: number, b: number): number {
    return a + b;
  }
  async callback(call: (x: number) => number | Promise<number>, x: number): Promise<number> {
    return call(x);
  }
  records(n: number): { id: number; name: string }[] {
    return Array.from({ length: n }, (_, id) => ({ id, name: 'item' }));
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

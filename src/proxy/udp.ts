/** One UDP association of SOCKS 5: datagrams between a client and the far side's sockets, as long as its connection stands. */
import type { Socket as Datagrams, RemoteInfo } from 'node:dgram';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { runDetached } from '../base/context.ts';
import { originals } from '../base/originals.ts';
import { failureOf } from './failure.ts';
import type { FarSide } from './far-side.ts';
import { formatPlace, type HostPort, peerOf } from './place.ts';
import { datagramHeader, readDatagram } from './socks5.ts';
import type { ProxyEvent, Traffic } from './traffic.ts';

type Found = { readonly address: string; readonly family: number };

/** Milliseconds for which a name keeps its address, and how many names one association may have. */
const NAME_LIFE = 30_000;
const MAX_NAMES = 256;

/** Resolves with the place where the client's datagrams are taken. */
export async function associate(
  control: Socket,
  far: FarSide,
  traffic: Traffic,
): Promise<HostPort> {
  const association = new Association(control, far, traffic);
  return association.open();
}

class Association {
  readonly #control: Socket;
  readonly #far: FarSide;
  readonly #traffic: Traffic;
  readonly #near: Datagrams;
  readonly #sockets = new Map<number, Datagrams>();
  readonly #names = new Map<string, Promise<Found>>();
  /** Known from its first datagram on; others are not listened to. */
  #client: RemoteInfo | undefined;
  #closed = false;

  constructor(control: Socket, far: FarSide, traffic: Traffic) {
    this.#control = control;
    this.#far = far;
    this.#traffic = traffic;
    const family = originals.net.isIP(control.localAddress ?? '') === 6 ? 'udp6' : 'udp4';
    this.#near = runDetached(() => originals.dgram.createSocket(family));
  }

  async open(): Promise<HostPort> {
    const ended = this.#traffic.associated(this.#event('datagrams'));
    this.#control.once('close', () => {
      ended();
      this.#close();
    });
    this.#control.once('end', () => this.#control.destroy());
    this.#near.on('error', () => this.#control.destroy());
    this.#near.on('message', (bytes, from) => this.#up(bytes, from));
    this.#near.bind(0, this.#control.localAddress);
    await once(this.#near, 'listening');
    const { address, port } = this.#near.address();
    return { host: address, port };
  }

  #up(bytes: Buffer, from: RemoteInfo): void {
    if (!this.#isClient(from)) return;
    this.#client ??= from;
    const datagram = readDatagram(bytes);
    if (datagram === undefined) return;
    const { place, data } = datagram;
    const send = ({ address, family }: Found): void => {
      if (this.#closed) return;
      this.#socket(family).send(data, place.port, address, (error) => {
        if (error !== null) this.#failed(error, place);
      });
      this.#traffic.datagram('up', data.length);
    };
    const family = originals.net.isIP(place.host);
    if (family !== 0) send({ address: place.host, family });
    else this.#resolve(place.host).then(send, (error) => this.#failed(error, place));
  }

  #isClient({ address, port }: RemoteInfo): boolean {
    if (this.#client !== undefined)
      return this.#client.port === port && this.#client.address === address;
    return address === this.#control.remoteAddress;
  }

  #resolve(name: string): Promise<Found> {
    const known = this.#names.get(name);
    if (known !== undefined) return known;
    if (this.#names.size >= MAX_NAMES) this.#names.clear();
    const asked = this.#far.lookup(name);
    this.#names.set(name, asked);
    setTimeout(() => this.#names.delete(name), NAME_LIFE).unref();
    return asked;
  }

  /** The far side's socket for a family of addresses. */
  #socket(family: number): Datagrams {
    let socket = this.#sockets.get(family);
    if (socket !== undefined) return socket;
    socket = this.#far.datagrams(family === 6 ? 'udp6' : 'udp4');
    this.#sockets.set(family, socket);
    socket.on('message', (bytes, from) => this.#down(bytes, from));
    socket.on('error', () => this.#control.destroy());
    return socket;
  }

  #down(bytes: Buffer, { address, port }: RemoteInfo): void {
    if (this.#closed || this.#client === undefined) return;
    const header = datagramHeader({ host: address, port });
    // What does not fit behind its header is lost, as datagrams may be.
    this.#near.send([header, bytes], this.#client.port, this.#client.address, () => undefined);
    this.#traffic.datagram('down', bytes.length);
  }

  #failed(error: unknown, place: HostPort): void {
    const event = this.#event(formatPlace(place));
    this.#traffic.failed({ ...event, failure: failureOf(error, event).text });
  }

  #event(to: string): ProxyEvent {
    return { kind: 'udp', from: peerOf(this.#control), to };
  }

  #close(): void {
    this.#closed = true;
    this.#near.close();
    for (const socket of this.#sockets.values()) socket.close();
  }
}

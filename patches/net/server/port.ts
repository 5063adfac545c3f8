/** One listening server of the far side: connections on one hand, the near side's slots for them on the other. */
import net from 'node:net';
import { getSystemErrorName } from 'node:util';
import { withUmask } from '../../../src/base/umask.ts';
import type { ByteStream, RemoteStream, StreamHandler } from '../../../src/patch.ts';
import type { Address } from '../api.ts';
import { addresses, relay } from '../relay.ts';
import type { Accepted, AcceptFailed, Place, Refused } from './api.ts';

/** Connections that nobody has taken yet. As with the kernel's backlog, those beyond are dropped. */
const MAX_WAITING = 1024;

/** A slot that is no socket yet hears nothing that concerns it but its end. */
class Slot implements StreamHandler {
  readonly #stream: ByteStream;
  readonly #gone: (slot: Slot) => void;
  #handler: StreamHandler | undefined;

  constructor(stream: ByteStream, gone: (slot: Slot) => void) {
    this.#stream = stream;
    this.#gone = gone;
  }

  take(socket: net.Socket, waiting: number): void {
    const accepted: Accepted = { kind: 'connected', ...addresses(socket), waiting };
    this.#stream.signal(accepted);
    this.#handler = relay(socket, this.#stream);
    socket.resume();
  }

  data(bytes: Uint8Array): void {
    this.#handler?.data(bytes);
  }

  signal(value: unknown): void {
    this.#handler?.signal?.(value);
  }

  drain(): void {
    this.#handler?.drain?.();
  }

  end(): void {
    if (this.#handler !== undefined) return this.#handler.end();
    this.#gone(this);
    this.#stream.end();
  }

  closed(error: Error | undefined): void {
    if (this.#handler !== undefined) this.#handler.closed(error);
    else this.#gone(this);
  }
}

export class Port {
  readonly #server: net.Server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true });
  readonly #slots = new Set<Slot>();
  readonly #over: () => void;
  readonly #waiting = new Set<net.Socket>();
  #holder: ByteStream | undefined;

  constructor(over: () => void) {
    this.#over = over;
    this.#server.on('connection', (socket) => this.#connected(socket));
  }

  /** Undefined when it listens. At once: who asks is blocked, perhaps in this very thread. */
  listen(place: Place): Refused | undefined {
    const { handle, ...refused } = bind(place);
    if (handle === undefined) return refused;
    const failed = handle.listen(place.backlog);
    if (failed !== 0) {
      handle.close();
      return { ...refused, code: getSystemErrorName(failed) };
    }
    this.#server.on('error', (error: NodeJS.ErrnoException) => {
      const accept: AcceptFailed = { code: error.code ?? 'UNKNOWN' };
      this.#holder?.signal(accept);
    });
    const server = this.#server as unknown as ServerInside;
    server._handle = handle;
    const { path, port = 0, address = '::', backlog } = place;
    if (path !== undefined) server._pipeName = path;
    if (path === undefined) server._listen2(address, port, address.includes(':') ? 6 : 4, backlog);
    else server._listen2(path, -1, -1, backlog);
    return undefined;
  }

  get address(): { address?: Address } {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? { address } : {};
  }

  publish(readable: boolean, writable: boolean): string | null {
    const { _handle: handle } = this.#server as unknown as ServerInside;
    const failed = handle.fchmod?.((readable ? 1 : 0) | (writable ? 2 : 0)) ?? 0;
    return failed === 0 ? null : getSystemErrorName(failed);
  }

  hold(stream: RemoteStream): void {
    this.#holder = stream;
    stream.accept({
      data: () => undefined,
      end: () => {
        this.close();
        stream.end();
      },
      closed: () => this.close(),
    });
  }

  slot(stream: RemoteStream): void {
    const slot = new Slot(stream, (gone) => this.#slots.delete(gone));
    stream.accept(slot);
    for (const socket of this.#waiting) {
      this.#waiting.delete(socket);
      return slot.take(socket, this.#waiting.size);
    }
    this.#slots.add(slot);
  }

  /** Who has not been taken by the near side is turned away; the other sockets go on. */
  close(): void {
    this.#server.close();
    for (const socket of this.#waiting) socket.destroy();
    this.#over();
  }

  #connected(socket: net.Socket): void {
    socket.once('close', () => this.#waiting.delete(socket));
    // Until somebody has taken it, a failure only means that it is gone.
    socket.on('error', () => undefined);
    for (const slot of this.#slots) {
      this.#slots.delete(slot);
      return slot.take(socket, 0);
    }
    if (this.#waiting.size >= MAX_WAITING) socket.destroy();
    else this.#waiting.add(socket);
  }
}

/** Node's own server handle, as far as it is used here. */
interface ServerHandle {
  listen(backlog: number): number;
  close(): void;
  fchmod?(mode: number): number;
}

interface ServerInside {
  _handle: ServerHandle;
  _pipeName?: string;
  _listen2(address: string, port: number, addressType: number, backlog: number): void;
}

type CreateServerHandle = (
  address: string,
  port: number,
  addressType: number,
  fd?: undefined,
  flags?: number,
) => ServerHandle | number;

const IPV6_ONLY = 1;
const REUSE_PORT = 2;

/** Like Node, without an address tries IPv6 and then IPv4. `address` is the one that was tried last. */
function bind(place: Place): Refused & { handle?: ServerHandle } {
  const { path, address, port = 0 } = place;
  const create = (net as unknown as { _createServerHandle: CreateServerHandle })
    ._createServerHandle;
  const flags = (place.ipv6Only ? IPV6_ONLY : 0) | (place.reusePort ? REUSE_PORT : 0);
  const attempt = (at: string, type: number): Refused & { handle?: ServerHandle } => {
    const made = create(at, type === -1 ? -1 : port, type, undefined, flags);
    if (typeof made === 'number') return { code: getSystemErrorName(made), address: at };
    return { code: '', address: at, handle: made };
  };
  if (path !== undefined) return withUmask(place.umask, () => attempt(path, -1));
  if (address !== undefined) return attempt(address, address.includes(':') ? 6 : 4);
  const six = attempt('::', 6);
  return six.handle === undefined ? attempt('0.0.0.0', 4) : six;
}

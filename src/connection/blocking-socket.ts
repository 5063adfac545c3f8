/**
 * A socket that this thread reads and writes with blocking system calls: no event loop, no worker. Packets are
 * length-framed (tcp, unix); blocking-ws.ts puts WebSocket frames on the same bytes.
 */
import { getSystemErrorName } from 'node:util';
import { ElsewhereError } from '../base/errors.ts';
import { connectPipe, connectTcp, type NativeHandle } from '../base/native-sockets.ts';
import { originals } from '../base/originals.ts';
import type { Endpoint } from '../transport/transport.ts';
import { PacketReader, packetHeader } from '../wire/frame.ts';
import { Kind, MAX_PACKET } from '../wire/message.ts';
import type { BlockingLink, BlockingPacket } from './blocking.ts';

/** What one system call reads at most. */
const READ_SIZE = 256 * 1024;
const JOIN_LIMIT = 64 * 1024;

/** The bytes below the packets. */
export class BlockingSocket {
  readonly #handle: NativeHandle;
  readonly #fd: number;
  readonly #buffer = Buffer.allocUnsafeSlow(READ_SIZE);
  #closed = false;

  /** Throws ERR_ELSEWHERE_CONNECT when nobody listens there. `host` must be a numeric address. */
  constructor(endpoint: Endpoint, url: string) {
    const { handle, status } =
      endpoint.scheme === 'unix'
        ? connectPipe(endpoint.path)
        : connectTcp(endpoint.host, endpoint.port);
    this.#handle = handle;
    this.#fd = handle.fd;
    if (status < 0 || this.#fd < 0) {
      this.close();
      const code = status < 0 ? getSystemErrorName(status) : 'ECONNREFUSED';
      throw new ElsewhereError('ERR_ELSEWHERE_CONNECT', `no elsewhere agent at ${url}: ${code}`);
    }
    handle.setBlocking(true);
    handle.unref();
  }

  write(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) {
      try {
        at += originals.fs.writeSync(this.#fd, bytes, at, bytes.length - at);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw this.#broken(error);
      }
    }
  }

  /** At least one byte; the view is only valid until the next read. */
  read(): Buffer {
    for (;;) {
      try {
        const count = originals.fs.readSync(this.#fd, this.#buffer, 0, READ_SIZE, null);
        if (count === 0) throw this.#broken(undefined);
        return this.#buffer.subarray(0, count);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN')
          throw error instanceof ElsewhereError ? error : this.#broken(error);
      }
    }
  }

  #broken(error: unknown): ElsewhereError {
    const why = error === undefined ? 'the agent closed it' : (error as Error).message;
    return new ElsewhereError(
      'ERR_ELSEWHERE_CONNECTION_LOST',
      `the blocking link was lost: ${why}`,
      { cause: error },
    );
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#handle.close();
  }
}

/** tcp: and unix:. */
export class FramedLink implements BlockingLink {
  readonly #socket: BlockingSocket;
  readonly #inbox: BlockingPacket[] = [];
  readonly #reader = new PacketReader((kind, body, owned) => {
    // Larger packets may stand behind it in what was read; whether to believe it is decided before they are looked at.
    if (kind === Kind.WELCOME) this.setLimit(MAX_PACKET);
    // A view of the read buffer would be overwritten by the next read.
    this.#inbox.push({ kind, body: owned ? body : Buffer.from(body) });
  });

  constructor(socket: BlockingSocket) {
    this.#socket = socket;
  }

  send(kind: number, head: Uint8Array, tail?: Uint8Array): void {
    const length = head.length + (tail?.length ?? 0);
    const header = packetHeader(kind, length);
    if (tail === undefined || length <= JOIN_LIMIT)
      return this.#socket.write(
        Buffer.concat(tail === undefined ? [header, head] : [header, head, tail]),
      );
    this.#socket.write(Buffer.concat([header, head]));
    this.#socket.write(tail);
  }

  receive(): BlockingPacket {
    let packet = this.#inbox.shift();
    while (packet === undefined) {
      this.#reader.push(this.#socket.read());
      packet = this.#inbox.shift();
    }
    return packet;
  }

  setLimit(bytes: number): void {
    this.#reader.limit = bytes;
  }

  close(): void {
    this.#socket.close();
  }
}

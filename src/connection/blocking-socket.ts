/**
 * A socket that this thread reads and writes with system calls of its own: no event loop, no worker. Packets are
 * length-framed (tcp, unix); blocking-ws.ts puts WebSocket frames on the same bytes.
 */
import { getSystemErrorName } from 'node:util';
import { runLocally } from '../base/context.ts';
import { ElsewhereError } from '../base/errors.ts';
import { connectPipe, connectTcp, type NativeHandle } from '../base/native-sockets.ts';
import { originals } from '../base/originals.ts';
import { formatUrl } from '../transport/endpoint.ts';
import { unreachable } from '../transport/open.ts';
import type { DialledEndpoint } from '../transport/transport.ts';
import { packetHeader, StreamPacketReader } from '../wire/frame.ts';
import { Kind, MAX_PACKET } from '../wire/message.ts';
import type { BlockingLink, BlockingPacket, Watch } from './blocking.ts';
import { Wait } from './blocking-wait.ts';

/** What one system call reads at most. */
const READ_SIZE = 256 * 1024;

/** The bytes below the packets. */
export class BlockingSocket {
  readonly #handle: NativeHandle;
  readonly #fd: number;
  readonly #endpoint: DialledEndpoint;
  readonly #buffer = Buffer.allocUnsafeSlow(READ_SIZE);
  /** Something was written, so there was somebody. */
  #connected = false;
  #closed = false;
  #watch: Watch | undefined;

  /** Throws ERR_ELSEWHERE_CONNECT when nobody listens there. `host` must be a numeric address. */
  constructor(endpoint: DialledEndpoint) {
    this.#endpoint = endpoint;
    const { handle, status } =
      endpoint.scheme === 'unix'
        ? connectPipe(endpoint.path)
        : connectTcp(endpoint.host, endpoint.port);
    this.#handle = handle;
    this.#fd = handle.fd;
    if (status < 0 || this.#fd < 0) {
      this.close();
      throw this.#unreachable(status < 0 ? getSystemErrorName(status) : 'ECONNREFUSED');
    }
    handle.setBlocking(true);
    handle.unref();
  }

  /** Without one, system calls block as long as they like. */
  watch(watch: Watch | undefined): void {
    if ((watch === undefined) !== (this.#watch === undefined))
      this.#handle.setBlocking(watch === undefined);
    this.#watch = watch;
  }

  /** All of them, in one system call as a rule. */
  write(...parts: Uint8Array[]): void {
    let rest = parts;
    while (rest.length > 0)
      rest = unwritten(
        rest,
        this.#patiently(() => this.#writeSome(rest), false),
      );
  }

  #writeSome(parts: readonly Uint8Array[]): number {
    // Not writeSync, which on Node 22 and 24 takes every write for failed where Object.prototype has an `errno`.
    const count = originals.fs.writevSync(this.#fd, parts);
    this.#connected = true;
    return count;
  }

  /** At least one byte; the view is only valid until the next read. */
  read(): Buffer {
    const count = this.#patiently(this.#readSome, true);
    if (count === 0) throw this.#broken(undefined);
    return this.#buffer.subarray(0, count);
  }

  readonly #readSome = (): number =>
    originals.fs.readSync(this.#fd, this.#buffer, 0, READ_SIZE, null);

  /** `ask`: whether a sign of life may be asked for meanwhile; not in the middle of a packet of ours. */
  #patiently(attempt: () => number, ask: boolean): number {
    let wait: Wait | undefined;
    for (;;) {
      const count = outcome(attempt);
      if (typeof count === 'number') return count;
      if (!wouldBlock(count)) throw this.#broken(count);
      if (this.#watch === undefined) continue;
      wait ??= new Wait();
      wait.rest(this.#watch, ask);
    }
  }

  /** A connection that fails is known at the first use, since the system connects while we go on. */
  #broken(error: unknown): ElsewhereError {
    if (!this.#connected) return this.#unreachable((error as NodeJS.ErrnoException).code ?? '');
    const why = error === undefined ? 'the agent closed it' : (error as Error).message;
    return new ElsewhereError(
      'ERR_ELSEWHERE_CONNECTION_LOST',
      `the blocking link was lost: ${why}`,
      { cause: error },
    );
  }

  #unreachable(code: string): ElsewhereError {
    const endpoint = this.#endpoint;
    // All that is left of why a path could not be opened, see connectPipe.
    const known =
      code !== 'ENOTCONN' || endpoint.scheme !== 'unix'
        ? code
        : // In a scope this would ask the far side, over the very link that has just failed.
          runLocally(() => originals.fs.existsSync(endpoint.path))
          ? 'ECONNREFUSED'
          : 'ENOENT';
    return unreachable(
      formatUrl(endpoint, undefined),
      Object.assign(new Error(known), { code: known }),
    );
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#handle.close();
  }
}

/** What it returns or throws. That nothing is there yet is thrown each time, and needs no stack. */
function outcome(attempt: () => number): unknown {
  const { stackTraceLimit } = Error;
  Reflect.set(Error, 'stackTraceLimit', 0);
  try {
    return attempt();
  } catch (error) {
    return error;
  } finally {
    Reflect.set(Error, 'stackTraceLimit', stackTraceLimit);
  }
}

function wouldBlock(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'EAGAIN';
}

/** What is left of these parts when so many bytes of them are gone. */
function unwritten(parts: readonly Uint8Array[], count: number): Uint8Array[] {
  let skip = count;
  const rest: Uint8Array[] = [];
  for (const part of parts) {
    if (skip < part.length) rest.push(skip === 0 ? part : part.subarray(skip));
    skip = Math.max(0, skip - part.length);
  }
  return rest;
}

/** tcp: and unix:. */
export class FramedLink implements BlockingLink {
  readonly dearWatch = true;
  readonly #socket: BlockingSocket;
  readonly #inbox: BlockingPacket[] = [];
  readonly #reader = new StreamPacketReader((kind, body, owned) => {
    if (kind === Kind.WELCOME) this.#reader.limit = MAX_PACKET;
    // A view of the read buffer would be overwritten by the next read.
    this.#inbox.push({ kind, body: owned ? body : Buffer.from(body) });
  });

  constructor(socket: BlockingSocket) {
    this.#socket = socket;
  }

  send(kind: number, head: Uint8Array, tail?: Uint8Array): void {
    const header = packetHeader(kind, head.length + (tail?.length ?? 0));
    if (tail === undefined) this.#socket.write(header, head);
    else this.#socket.write(header, head, tail);
  }

  receive(): BlockingPacket {
    let packet = this.#inbox.shift();
    while (packet === undefined) {
      this.#reader.push(this.#socket.read());
      packet = this.#inbox.shift();
    }
    return packet;
  }

  watch(watch: Watch | undefined): void {
    this.#socket.watch(watch);
  }

  close(): void {
    this.#socket.close();
  }
}

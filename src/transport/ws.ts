/** Packets over a WebSocket: one binary message is `[kind u8][body]`. One of the two importers of `ws`. */
import type { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import { WebSocket } from 'ws';
import { hideActivity } from '../base/activity.ts';
import { ElsewhereError } from '../base/errors.ts';
import { Kind, LAST_KIND, Limit, MAX_PACKET } from '../wire/message.ts';
import { messageHead, Opcode } from '../wire/ws-head.ts';
import { Mailbox } from './mailbox.ts';
import { signsOfLife } from './pulse.ts';
import { readPackets } from './reading.ts';
import { certificateOf, isStuck, unsent } from './tls.ts';
import type { PeerCertificate, Transport, TransportEvents } from './transport.ts';
import { writePacket } from './writing.ts';
import { MessageReader } from './ws-reader.ts';

/** Safe settings for both ends: nothing compressed, nothing fragmented, nothing larger than a packet. */
export const WS_OPTIONS: {
  perMessageDeflate: false;
  maxPayload: number;
  maxFragments: number;
  skipUTF8Validation: boolean;
} = {
  perMessageDeflate: false,
  maxPayload: MAX_PACKET,
  maxFragments: 1,
  skipUTF8Validation: true,
};

/** `send` asks the caller to wait above this many bytes. */
const HIGH_WATER = 64 * 1024;
const CLOSE_FUSE = 2000;

/** How our messages are masked: a server's not at all, a client's with zeros where no proxy can see them. */
export type Masking = 'none' | 'zeros' | 'random';

/** Takes over an open WebSocket. */
export function wsTransport(
  socket: WebSocket,
  raw: Socket,
  masking: Masking,
  description: string,
): Transport {
  return new WsTransport(socket, raw, masking, description);
}

class WsTransport implements Transport {
  readonly description: string;
  readonly remote: Transport['remote'];
  readonly #socket: WebSocket;
  readonly #raw: Socket;
  readonly #masking: Masking;
  readonly #mailbox: Mailbox;
  #limit: number = Limit.HANDSHAKE;
  #reader: MessageReader | undefined;
  #error: Error | undefined;
  #paused = false;
  #waiting = false;

  constructor(socket: WebSocket, raw: Socket, masking: Masking, description: string) {
    this.description = description;
    this.#masking = masking;
    this.#socket = socket;
    hideActivity(raw, (raw as { _handle?: object })._handle);
    this.#raw = raw;
    this.remote =
      raw.remoteAddress === undefined
        ? undefined
        : { host: raw.remoteAddress, port: raw.remotePort ?? 0 };
    this.#mailbox = new Mailbox((full) => (full ? raw.pause() : this.#resumeReading()));
    raw.setNoDelay(true);
    raw.setKeepAlive(true, 5000);
    raw.on('drain', () => this.#drained());
    socket.binaryType = 'nodebuffer';
    limitMessages(socket, this.#limit);
    socket.on('message', (data, isBinary) => this.#message(data as Buffer, isBinary));
    socket.on('error', (error) => (this.#error ??= protocolFault(error)));
    socket.on('close', () => this.#mailbox.close(this.#error));
    this.#takeReading();
  }

  /** Puts a reader of ours in place of the ws package's. Where its insides are others, it goes on reading itself. */
  #takeReading(): void {
    const { _receiver: receiver } = this.#socket as unknown as Inside;
    const theirs = this.#raw.listeners('data').find(({ name }) => name === 'socketOnData');
    if (receiver === undefined || theirs === undefined) return;
    this.#raw.off('data', theirs as () => void);
    const reader = new MessageReader(
      this.#masking === 'none',
      // Nothing follows a fault that ws found.
      (kind, body, owned) => receiver.errored ?? this.#mailbox.packet(kind, body, owned),
      (bytes) => receiver.errored ?? receiver.write(Buffer.from(bytes)),
    );
    this.#reader = reader;
    const read = readPackets(this.#raw, reader, (error) => this.destroy(error));
    // Before theirs, which would give what is left to a receiver that has not seen what it follows.
    this.#raw.prependListener('close', () => {
      const left = this.#raw.read() as Buffer | null;
      if (left !== null) read(left);
    });
  }

  get buffered(): number {
    return unsent(this.#raw);
  }

  get certificate(): PeerCertificate | undefined {
    return certificateOf(this.#raw);
  }

  get stuck(): boolean {
    return isStuck(this.#raw);
  }

  get bytesRead(): number {
    return this.#raw.bytesRead;
  }

  get events(): TransportEvents | undefined {
    return this.#mailbox.events;
  }

  set events(events: TransportEvents | undefined) {
    this.#mailbox.events = events;
  }

  #message(data: Buffer, isBinary: boolean): void {
    const kind = data[0];
    if (!isBinary || kind === undefined || kind < 1 || kind > LAST_KIND)
      return this.#refuse('the peer sent a message of unknown kind');
    if (data.length - 1 > this.#limit)
      return this.#refuse(
        `the peer sent a packet of ${data.length - 1} bytes; at most ${this.#limit} are allowed`,
      );
    this.#mailbox.packet(kind, data.subarray(1), true);
  }

  #refuse(why: string): void {
    this.destroy(new ElsewhereError('ERR_ELSEWHERE_PROTOCOL', why));
  }

  send(kind: number, head: Uint8Array, tail?: Uint8Array): boolean {
    if (this.#socket.readyState !== WebSocket.OPEN) return true;
    if (this.#masking === 'random') this.#sendMasked(kind, head, tail);
    else this.#sendPlain(kind, head, tail);
    if (this.#raw.writableLength < HIGH_WATER) return true;
    this.#waiting = true;
    return false;
  }

  #sendMasked(kind: number, head: Uint8Array, tail: Uint8Array = NOTHING): void {
    const message = Buffer.allocUnsafe(1 + head.length + tail.length);
    message[0] = kind;
    message.set(head, 1);
    message.set(tail, 1 + head.length);
    this.#socket.send(message, NO_ERROR);
  }

  /** Without ws, which would want the message in one piece. Its own frames leave at once too, so the order is kept. */
  #sendPlain(kind: number, head: Uint8Array, tail?: Uint8Array): void {
    const length = 1 + head.length + (tail?.length ?? 0);
    const [header, end] = messageHead(Opcode.BINARY, length, this.#masking === 'zeros', 1);
    header[end] = kind;
    writePacket(this.#raw, header, head, tail);
  }

  cork(on: boolean): void {
    if (on) this.#raw.cork();
    else this.#raw.uncork();
  }

  #drained(): void {
    if (!this.#waiting) return;
    this.#waiting = false;
    this.#mailbox.drain();
  }

  setLimit(bytes: number): void {
    this.#limit = bytes;
    if (this.#reader !== undefined) this.#reader.limit = bytes;
    limitMessages(this.#socket, bytes);
  }

  signsOfLife(interval: number): void {
    // A mask of zeros is no danger where the bytes are always the same.
    const [sign, end] = messageHead(Opcode.BINARY, 1, this.#masking !== 'none', 1);
    sign[end] = Kind.ALIVE;
    signsOfLife(this.#raw, sign, interval);
  }

  pause(): void {
    this.#paused = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#socket.resume();
  }

  #resumeReading(): void {
    if (!this.#paused) this.#raw.resume();
  }

  close(): void {
    this.#socket.close(1000);
    setTimeout(() => this.#socket.terminate(), CLOSE_FUSE).unref();
  }

  destroy(error?: Error): void {
    this.#error ??= error;
    this.#mailbox.discard();
    this.#socket.terminate();
  }

  ref(): void {
    this.#raw.ref();
  }

  unref(): void {
    this.#raw.unref();
  }
}

/**
 * `maxPayload` is for the whole life of a WebSocket; who has not proven itself yet must not make us gather that much. An
 * inner field of ws 8: where it is missing, a message is refused when it has come whole.
 */
function limitMessages(socket: WebSocket, bytes: number): void {
  const { _receiver: receiver } = socket as unknown as Inside;
  // With the byte of its kind.
  if (typeof receiver?._maxPayload === 'number') receiver._maxPayload = bytes + 1;
}

const NOTHING = new Uint8Array(0);

/** Inner fields of ws 8. */
interface Inside {
  readonly _receiver?: Writable & { _maxPayload?: number };
}

/** Errors of a write are told by the socket's own 'error' and 'close'. */
const NO_ERROR = (): void => undefined;

/** What ws itself finds wrong with the frames is the peer's fault, and told as such. */
function protocolFault(error: Error): Error {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  if (!code.startsWith('WS_ERR_')) return error;
  return new ElsewhereError(
    'ERR_ELSEWHERE_PROTOCOL',
    `the peer broke the WebSocket protocol: ${error.message}`,
    { cause: error },
  );
}

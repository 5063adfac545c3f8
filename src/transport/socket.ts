/** Packets over a TCP or unix socket, length-framed. */
import type { Socket } from 'node:net';
import { hideActivity } from '../base/activity.ts';
import { type PacketReader, packetHeader, StreamPacketReader } from '../wire/frame.ts';
import { Kind } from '../wire/message.ts';
import { Mailbox } from './mailbox.ts';
import { signsOfLife } from './pulse.ts';
import { readPackets } from './reading.ts';
import { certificateOf, isStuck, unsent } from './tls.ts';
import type { PeerCertificate, Transport, TransportEvents } from './transport.ts';
import { writePacket } from './writing.ts';

/** Milliseconds for what was accepted to leave before the socket is torn down. */
const CLOSE_FUSE = 2000;
/** Takes over a connected socket. */
export function socketTransport(socket: Socket, description: string): Transport {
  return new SocketTransport(socket, description);
}

class SocketTransport implements Transport {
  readonly description: string;
  readonly remote: Transport['remote'];
  readonly #socket: Socket;
  readonly #mailbox: Mailbox;
  readonly #reader: PacketReader;
  #paused = false;
  #error: Error | undefined;
  #ending = false;

  constructor(socket: Socket, description: string) {
    this.description = description;
    this.#socket = socket;
    this.#mailbox = new Mailbox((full) => (full ? socket.pause() : this.#resumeReading()));
    this.#reader = new StreamPacketReader((kind, body, owned) =>
      this.#mailbox.packet(kind, body, owned),
    );
    this.remote =
      socket.remoteAddress === undefined
        ? undefined
        : { host: socket.remoteAddress, port: socket.remotePort ?? 0 };
    // Two small writes would cost 44 ms without it; the keep-alive finds dead hosts that no heartbeat watches.
    socket.setNoDelay(true);
    hideActivity(socket, (socket as { _handle?: object })._handle);
    socket.setKeepAlive(true, 5000);
    readPackets(socket, this.#reader, (error) => this.destroy(error));
    socket.on('drain', () => this.#mailbox.drain());
    socket.on('error', (error) => (this.#error ??= error));
    // An end without a close of our own: the peer is gone, there is nothing more to say to it.
    socket.on('end', () => this.close());
    socket.on('close', () => this.#mailbox.close(this.#error));
  }

  get buffered(): number {
    return unsent(this.#socket);
  }

  get certificate(): PeerCertificate | undefined {
    return certificateOf(this.#socket);
  }

  get stuck(): boolean {
    return isStuck(this.#socket);
  }

  get bytesRead(): number {
    return this.#socket.bytesRead;
  }

  get events(): TransportEvents | undefined {
    return this.#mailbox.events;
  }

  set events(events: TransportEvents | undefined) {
    this.#mailbox.events = events;
  }

  send(kind: number, head: Uint8Array, tail?: Uint8Array): boolean {
    const socket = this.#socket;
    if (this.#ending || socket.destroyed || !socket.writable) return true;
    const length = head.length + (tail?.length ?? 0);
    return writePacket(socket, packetHeader(kind, length), head, tail);
  }

  cork(on: boolean): void {
    if (on) this.#socket.cork();
    else this.#socket.uncork();
  }

  setLimit(bytes: number): void {
    this.#reader.limit = bytes;
  }

  signsOfLife(interval: number): void {
    signsOfLife(this.#socket, packetHeader(Kind.ALIVE, 0), interval);
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
    if (!this.#paused) this.#socket.resume();
  }

  close(): void {
    if (this.#ending) return;
    this.#ending = true;
    this.#socket.end();
    // The peer's own end completes it: closing over unread bytes would reset the link and lose what was sent.
    this.#socket.resume();
    setTimeout(() => this.#socket.destroy(), CLOSE_FUSE).unref();
  }

  destroy(error?: Error): void {
    this.#error ??= error;
    this.#ending = true;
    this.#mailbox.discard();
    this.#socket.destroy();
  }

  ref(): void {
    this.#socket.ref();
  }

  unref(): void {
    this.#socket.unref();
  }
}

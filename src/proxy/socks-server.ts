/** The SOCKS 5 side of a proxy: CONNECT and UDP ASSOCIATE, names resolved on the far side. */
import type { Socket } from 'node:net';
import { failureOf } from './failure.ts';
import type { FarSide } from './far-side.ts';
import { formatPlace, type HostPort, peerOf } from './place.ts';
import {
  Command,
  greetingAnswer,
  Method,
  type Read,
  Reply,
  type Request,
  readGreeting,
  readRequest,
  reply,
} from './socks5.ts';
import type { ProxyEvent, Traffic } from './traffic.ts';
import { associate } from './udp.ts';

/** Milliseconds for a client to say what it wants. */
const PATIENCE = 30_000;
/** A version 4 client is told no in its own words. */
const VERSION_4_REFUSAL: Buffer = Buffer.from([0, 0x5b, 0, 0, 0, 0, 0, 0]);

const REPLIES: Readonly<Record<string, number>> = {
  ECONNREFUSED: Reply.REFUSED,
  ECONNRESET: Reply.REFUSED,
  ENETUNREACH: Reply.NETWORK_UNREACHABLE,
  EHOSTUNREACH: Reply.HOST_UNREACHABLE,
  ENOTFOUND: Reply.HOST_UNREACHABLE,
  EAI_AGAIN: Reply.HOST_UNREACHABLE,
  ETIMEDOUT: Reply.EXPIRED,
  EACCES: Reply.NOT_ALLOWED,
};

export function serveSocks(socket: Socket, far: FarSide, traffic: Traffic): void {
  new SocksClient(socket, far, traffic).greet();
}

class SocksClient {
  readonly #socket: Socket;
  readonly #far: FarSide;
  readonly #traffic: Traffic;
  #heard: Buffer = Buffer.alloc(0);

  constructor(socket: Socket, far: FarSide, traffic: Traffic) {
    this.#socket = socket;
    this.#far = far;
    this.#traffic = traffic;
    socket.setTimeout(PATIENCE, () => socket.destroy());
    socket.on('error', () => undefined);
    socket.once('end', this.#gaveUp);
  }

  readonly #gaveUp = (): void => void this.#socket.destroy();

  greet(): void {
    this.#read(readGreeting, (methods) => {
      const method = methods.includes(Method.NONE) ? Method.NONE : Method.UNACCEPTABLE;
      this.#socket.write(greetingAnswer(method));
      if (method === Method.UNACCEPTABLE) this.#socket.destroySoon();
      else this.#read(readRequest, (request) => this.#asked(request));
    });
  }

  /** Waits until `parse` has enough; what is behind it stays. */
  #read<T>(parse: (bytes: Buffer) => Read<T>, then: (value: T) => void): void {
    const advance = (): boolean => {
      const found = parse(this.#heard);
      if (found === undefined) return false;
      if (found === null) {
        this.#refuseVersion();
        return true;
      }
      this.#heard = this.#heard.subarray(found.size);
      then(found.value);
      return true;
    };
    if (advance()) return;
    const listen = (bytes: Buffer): void => {
      this.#socket.off('data', listen);
      this.#socket.pause();
      this.#heard = Buffer.concat([this.#heard, bytes]);
      if (!advance()) this.#socket.on('data', listen).resume();
    };
    this.#socket.on('data', listen).resume();
  }

  #refuseVersion(): void {
    if (this.#heard[0] === 4) this.#socket.write(VERSION_4_REFUSAL);
    this.#socket.destroySoon();
  }

  #asked({ command, place }: Request): void {
    this.#socket.setTimeout(0);
    // From here on it may end its side early.
    this.#socket.off('end', this.#gaveUp);
    if (command === Command.CONNECT) this.#connect(place);
    else if (command === Command.UDP_ASSOCIATE)
      associate(this.#socket, this.#far, this.#traffic).then(
        (bound) => this.#socket.resume().write(reply(Reply.SUCCEEDED, bound)),
        () => this.#refuse(Reply.FAILED),
      );
    else this.#refuse(Reply.NO_SUCH_COMMAND);
  }

  #connect(place: HostPort): void {
    const near = this.#socket;
    const far = this.#far.connect(place);
    // What was sent without waiting for our answer goes along.
    if (this.#heard.length > 0) far.write(this.#heard);
    const abandon = (): void => void far.destroy();
    near.once('close', abandon);
    far.once('error', (error) => {
      if (near.destroyed) return;
      near.off('close', abandon);
      this.#failed(error, place);
    });
    far.once('connect', () => {
      near.off('close', abandon);
      far.removeAllListeners('error');
      near.write(reply(Reply.SUCCEEDED, bound(far)));
      this.#traffic.join(near, far, this.#event(place));
    });
  }

  #failed(error: Error, place: HostPort): void {
    const event = this.#event(place);
    const { code, text } = failureOf(error, event);
    this.#traffic.failed({ ...event, failure: text });
    this.#refuse(REPLIES[code] ?? Reply.FAILED);
  }

  #refuse(code: number): void {
    this.#socket.write(reply(code));
    this.#socket.destroySoon();
  }

  #event(place: HostPort): ProxyEvent {
    return { kind: 'socks', from: peerOf(this.#socket), to: formatPlace(place) };
  }
}

function bound({ localAddress, localPort }: Socket): HostPort | undefined {
  return localAddress === undefined ? undefined : { host: localAddress, port: localPort ?? 0 };
}
